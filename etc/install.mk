# What `make install` puts where, `make uninstall` takes away, and `make deb` packs. Read by the Makefile.
LOCALSTATEDIR ?= /var
RUNDIR        ?= /run
UNITDIR       ?= $(PREFIX)/lib/systemd/system
COMPLETIONS   := $(PREFIX)/share/bash-completion/completions
EXAMPLES      := $(wildcard etc/kubernetes/* prometheus/*.yml etc/nginx.conf etc/haproxy.cfg)

# Files that name other files, as they are after the installation: FROM,TO
PATHS = sed -e 's,/usr/sbin/,$(PREFIX)/sbin/,g' -e 's,/etc/akin/,$(SYSCONFDIR)/akin/,g' \
	-e 's,/var/log/,$(LOCALSTATEDIR)/log/,g' -e 's,/var/lib/,$(LOCALSTATEDIR)/lib/,g' -e 's,/run/akin,$(RUNDIR)/akin,g'
into  = install -d $(DESTDIR)$(dir $(2)) && $(PATHS) $(1) > $(DESTDIR)$(2) && chmod 644 $(DESTDIR)$(2)
# What a service wants and `make run` does not: a log file, a pid file, a user.
CONF  = sed -e 's,^\#log = .*,log = $(LOCALSTATEDIR)/log/akin/akin.log,' -e 's,^\#user =.*,user = akin,' \
	-e 's,^\#pid_file =.*,pid_file = $(RUNDIR)/akin/akin.pid,' etc/akin.conf

UNITS_OF_SYSTEMD = akin.service akin-retrain.service akin-retrain.timer akin-webhook.socket akin-webhook@.service

INSTALLED = $(PREFIX)/bin/akin-prep $(addprefix $(PREFIX)/sbin/,akin-server akinctl akin-webhook) \
	$(addprefix $(PREFIX)/share/akin/akinctl-,model retrain start view) $(addprefix $(UNITDIR)/,$(UNITS_OF_SYSTEMD)) \
	$(PREFIX)/lib/sysusers.d/akin.conf \
	$(PREFIX)/lib/tmpfiles.d/akin.conf $(SYSCONFDIR)/logrotate.d/akin $(COMPLETIONS)/akinctl $(COMPLETIONS)/akin-prep \
	$(foreach m,$(MAN),$(MANDIR)/man$(subst .,,$(suffix $m))/$(notdir $m))

install: all
	install -d $(addprefix $(DESTDIR),$(PREFIX)/bin $(PREFIX)/sbin $(PREFIX)/share/akin $(SYSCONFDIR)/akin $(DOCDIR))
	install $(BUILD)/akin-prep $(DESTDIR)$(PREFIX)/bin/
	install $(BUILD)/akin-server etc/akinctl etc/akin-webhook $(DESTDIR)$(PREFIX)/sbin/
	install -m 644 $(addprefix etc/akinctl-,model retrain start view) $(DESTDIR)$(PREFIX)/share/akin/
	for m in $(MAN); do install -D -m 644 $$m $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/} || exit; done
	install -m 644 README.md LICENSE $(wildcard docs/*.md $(UI)/files/licences.txt) $(DESTDIR)$(DOCDIR)/
	for e in $(EXAMPLES); do install -D -m 644 $$e $(DESTDIR)$(DOCDIR)/examples/$${e#etc/} || exit; done
	$(foreach u,$(UNITS_OF_SYSTEMD),$(call into,etc/systemd/$u,$(UNITDIR)/$u) &&) :
	$(call into,etc/systemd/akin.sysusers,$(PREFIX)/lib/sysusers.d/akin.conf)
	$(call into,etc/systemd/akin.tmpfiles,$(PREFIX)/lib/tmpfiles.d/akin.conf)
	$(call into,etc/logrotate,$(SYSCONFDIR)/logrotate.d/akin)
	install -D -m 644 etc/completion/akinctl $(DESTDIR)$(COMPLETIONS)/akinctl
	install -m 644 etc/completion/akin-prep $(DESTDIR)$(COMPLETIONS)/
	[ -e $(DESTDIR)$(SYSCONFDIR)/akin/akin.conf ] || $(CONF) > $(DESTDIR)$(SYSCONFDIR)/akin/akin.conf

uninstall:				# akin.conf stays: it is the operator's
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))
	rm -rf $(addprefix $(DESTDIR),$(DOCDIR) $(PREFIX)/share/akin)

deb: etc/packages/build.need etc/packages/deb.need
	@etc/debian/build $(BUILD) $(VERSION)

.PHONY: install uninstall deb
