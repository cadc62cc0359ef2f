# Akin: build, try, test, install. `make help` lists the targets.
VERSION    := 0.1.0
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
MANDIR     ?= $(PREFIX)/share/man
DOCDIR     ?= $(PREFIX)/share/doc/akin
BUILD      ?= build
UI         ?= $(BUILD)/ui
PORT       ?= 8000
PYTHON     := /usr/bin/python3

CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wundef -Wvla
FORTIFY := $(if $(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)),,-D_FORTIFY_SOURCE=2)
HARDEN  ?= $(FORTIFY) -fstack-protector-strong -fPIE
ifdef CI
WARN    += -Werror
endif
DEFINES     = -D_GNU_SOURCE -DAKIN_VERSION='"$(VERSION)"' -DAKIN_CONF='"$(SYSCONFDIR)/akin/akin.conf"'
ALL_CFLAGS  = -std=c11 $(DEFINES) -pthread $(WARN) $(HARDEN) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now $(CFLAGS) $(LDFLAGS)
SANITIZE    = -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined

SHM_C     := $(wildcard shm/*.c)
METRICS_C := $(wildcard metrics/*.c)
SERVER_C  := $(wildcard server/*.c)
PREP_C    := $(wildcard prep/*.c)
UNIT_C    := $(wildcard tests/unit/test_*.c)
FAULTS_C  := $(wildcard tests/faults/*.c)
FUZZ_C    := $(wildcard tests/fuzz/fuzz_*.c)
ALL_C     := $(SHM_C) $(METRICS_C) $(SERVER_C) $(PREP_C) $(FAULTS_C) $(FUZZ_C) $(wildcard tests/unit/*.c tests/bench/*.c)
MAN       := $(wildcard docs/*.1 docs/*.5 docs/*.8)
objects    = $(patsubst %.c,$(BUILD)/%.o,$(1))

PROGRAMS    := $(BUILD)/akin-prep $(BUILD)/akin-server
UNITS       := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_C))
FAULTS      := $(patsubst tests/faults/%.c,$(BUILD)/faults/%.so,$(FAULTS_C))
PREP_LIBS   := -llz4 -lxxhash -ljansson -lcurl -lm
SERVER_LIBS := -lcivetweb -llz4 -lxxhash -ljansson -linih -lz -lm

# Fuzz targets: built by `make fuzzers` in $(BUILD)/fuzz, by clang, each with what it needs of everything. -fsanitize=fuzzer
# has a main() of its own.
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,$(BUILD)/fuzz_%,$(FUZZ_C))
FUZZED   = -O1 -gline-tables-only -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link \
	   -fno-sanitize-recover=undefined
SECONDS ?= 60

SUB = --no-print-directory -s $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

DATA  := tests/data/online-retail/OnlineRetail.csv.lz4
MODEL := $(BUILD)/online-retail.model

all: $(PROGRAMS)

$(BUILD)/akin-prep: $(call objects,$(PREP_C) $(SHM_C))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PREP_LIBS)
$(BUILD)/akin-server: $(call objects,$(SERVER_C) $(METRICS_C) $(SHM_C))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(SERVER_LIBS)
$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(call objects,$(filter-out %/main.c,$(SERVER_C) $(METRICS_C) $(PREP_C) $(SHM_C)))
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(SERVER_LIBS) -lcurl -lcmocka
# Preloaded into programs under test, so never built for a sanitizer themselves.
$(BUILD)/faults/%.so: tests/faults/%.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE $(WARN) -O2 -g -shared -fPIC -o $@ $<
$(BUILD)/everything.a: $(call objects,$(filter-out %/main.c,$(SERVER_C) $(METRICS_C) $(PREP_C) $(SHM_C)))
	@rm -f $@
	$(AR) rcs $@ $^
$(BUILD)/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/everything.a
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(SERVER_LIBS) -lcurl
$(BUILD)/bench/constant: $(BUILD)/tests/bench/constant.o
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lcivetweb
$(BUILD)/bench/drift_windows: $(BUILD)/tests/bench/drift_windows.o \
		$(call objects,$(filter-out %/main.c,$(SERVER_C) $(METRICS_C) $(SHM_C)))
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(SERVER_LIBS)
$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/server/openapi.o: server/openapi.json
$(BUILD)/server/assets.o: private DEFINES += -I$(UI) -DUI_FOLDER='"$(UI)"'
$(BUILD)/server/assets.o: $(UI)/ui.inc
$(UI)/ui.inc: $(wildcard server/ui/* $(UI)/*.tgz)
	@server/ui/embed $(UI)
ui:					# Swagger UI and ReDoc, by npm; without them, plain pages are built in
	@server/ui/fetch $(UI)
-include $(patsubst %.c,$(BUILD)/%.d,$(ALL_C))

# Objects are made again when the compiler or its flags change.
$(BUILD)/flags: .flags
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS))' | cmp -s - $@ || \
		echo '$(subst ','\'',$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS))' > $@

$(MODEL): $(DATA) $(BUILD)/akin-prep
	$(BUILD)/akin-prep build -o $@ $(DATA)
model: $(MODEL)

run: etc/packages/build.need etc/packages/run.need
	@$(MAKE) $(SUB) ui
	@$(MAKE) $(SUB) all model
	@printf 'Try, from another terminal (Ctrl-C here stops the server):\n\n'
	@printf '  curl %s\n' "'http://localhost:$(PORT)/predict/item/85123A?n=5'" \
		"'http://localhost:$(PORT)/predict/user/12350?n=1&details=true'" "http://localhost:$(PORT)/metrics"
	@echo
	@exec $(BUILD)/akin-server -c etc/akin.conf --model $(MODEL) --port $(PORT)

test: etc/packages/build.need etc/packages/test.need
	@$(MAKE) $(SUB) ui
	@$(MAKE) $(SUB) all units faults $(BUILD)/bench/drift_windows
	@$(MAKE) $(SUB) sanitized
	@$(MAKE) $(SUB) fuzzers
	@$(PYTHON) tests/run.py --unit --system --operator --container $(BUILD) $(BUILD)/asan
unit: units
	@$(PYTHON) tests/run.py --unit $(BUILD)
system: all faults
	@$(PYTHON) tests/run.py --system $(BUILD)
operator container: etc/packages/build.need etc/packages/test.need
	@$(MAKE) $(SUB) all faults $(BUILD)/bench/drift_windows
	@$(MAKE) $(SUB) fuzzers
	@$(PYTHON) tests/run.py --$@ $(BUILD)
sanitize: sanitized
	@$(PYTHON) tests/run.py --unit --system $(BUILD)/asan
units: $(UNITS)
faults: $(FAULTS)
sanitized:
	@$(MAKE) $(SUB) BUILD=$(BUILD)/asan UI=$(UI) CFLAGS='$(SANITIZE)' HARDEN=-fPIE all units faults

# Longer than the tests: data races, and what a sanitizer that is compiled in can't see. PYTEST= chooses some.
THREADED = -O1 -g -fno-omit-frame-pointer -fsanitize=thread
tsan: etc/packages/build.need etc/packages/test.need
	@$(MAKE) $(SUB) ui
	@$(MAKE) $(SUB) BUILD=$(BUILD)/tsan UI=$(UI) CFLAGS='$(THREADED)' HARDEN=-fPIE all units faults
	@for t in pin pin_race shown_threads watch feedback_once feedback_log feedback_sync; do TSAN_OPTIONS=halt_on_error=1 $(BUILD)/tsan/unit/test_$$t || exit; done
	@$(PYTHON) tests/run.py --system $(BUILD)/tsan $(if $(PYTEST),-- $(PYTEST))
valgrind: etc/packages/build.need etc/packages/test.need
	@command -v valgrind >/dev/null || { echo 'valgrind is missing; as root:  apt-get install valgrind' >&2; exit 1; }
	@$(MAKE) $(SUB) ui
	@$(MAKE) $(SUB) all faults
	@tests/under-valgrind $(BUILD) $(BUILD)/valgrind
	@$(PYTHON) tests/run.py --system $(BUILD)/valgrind $(if $(PYTEST),-- $(PYTEST))

# Long: each target SECONDS= seconds (or one, TARGET=csv), going on from the corpus in the tree and what was found before.
fuzz: etc/packages/build.need etc/packages/test.need
	@$(MAKE) $(SUB) fuzzers
	@$(PYTHON) tests/fuzz/run.py --seconds $(SECONDS) $(BUILD)/fuzz $(TARGET)
fuzzers:
	@$(MAKE) $(SUB) BUILD=$(BUILD)/fuzz UI=$(UI) CC=clang CFLAGS='$(FUZZED)' HARDEN=-fPIE fuzz-targets
fuzz-targets: $(FUZZERS)
.PHONY: faults tsan valgrind fuzz fuzzers fuzz-targets

bench: etc/packages/build.need etc/packages/bench.need
	@$(MAKE) $(SUB) all model $(BUILD)/bench/constant
	@$(PYTHON) tests/bench/bench.py $(BUILD) $(PART)

# A million events of feedback while workers are killed: docs/reliability.md.
feedback: etc/packages/build.need etc/packages/test.need
	@$(MAKE) $(SUB) all
	@$(PYTHON) tests/bench/feedback.py --events $(or $(EVENTS),1000000) $(BUILD)
.PHONY: feedback

# How often drift is seen that isn't there, and how soon what is: the tables of docs/monitoring.md.
drift-study: etc/packages/build.need etc/packages/test.need
	@$(MAKE) $(SUB) all $(BUILD)/bench/drift_windows
	@$(PYTHON) tests/bench/drift_study.py $(BUILD)
.PHONY: drift-study

# Everything at once for MINUTES=, and nothing left of it: docs/reliability.md.
soak: etc/packages/build.need etc/packages/test.need
	@$(MAKE) $(SUB) all
	@$(PYTHON) tests/soak.py $(BUILD) $(or $(MINUTES),30)
.PHONY: soak

# The package and its units on a machine of their own whose process 1 is systemd: docs/reliability.md.
systemd: etc/packages/build.need etc/packages/test.need etc/packages/deb.need
	@$(PYTHON) tests/under_systemd.py $(BUILD)
.PHONY: systemd

screenshots: etc/packages/build.need etc/packages/test.need etc/packages/screenshots.need
	@$(MAKE) $(SUB) all model
	@$(PYTHON) tests/render/screenshots.py
	@$(PYTHON) tests/drift_demo.py --picture docs/images/akin-model.png $(BUILD)

# December's customers and a model of May: alert, retraining, all-clear, with no hand on it. Three minutes.
drift-demo: etc/packages/build.need etc/packages/test.need
	@$(MAKE) $(SUB) all
	@$(PYTHON) tests/drift_demo.py $(BUILD)
.PHONY: drift-demo

lint: etc/packages/build.need etc/packages/lint.need
	@tests/lint $(ALL_C) $(wildcard */*.h tests/unit/*.h) -- $(MAN)

# The table of families in docs/metrics.md, from the list that makes the families.
docs: $(BUILD)/akin-server
	@$(BUILD)/akin-server --metrics-table > $(BUILD)/families.md
	@sed -i -e '/^<!-- families/,/^<!-- end/{//!d}' -e '/^<!-- families/r $(BUILD)/families.md' docs/metrics.md

%.need:
	@etc/packages/need $(notdir $*)

include etc/install.mk

clean:
	rm -rf build

help:
	@echo 'make            build akin-prep and akin-server in $(BUILD)/'
	@echo 'make run        prepare the shipped data and serve it on port $(PORT) (PORT=)'
	@echo 'make test       all tests, on the normal and a sanitizer build (parts: unit system sanitize operator container)'
	@echo 'make fuzz       make inputs up for SECONDS=$(SECONDS) a target, or for one TARGET='
	@echo 'make feedback   EVENTS=1000000 events of feedback while workers are killed, and what is left of them'
	@echo 'make drift-study  how often drift is seen that is none, and how soon what is: the tables of docs/monitoring.md'
	@echo 'make soak       everything at once for MINUTES=30: load, reloads, kills, hostile clients, and nothing left of it'
	@echo 'make systemd    the package under a real systemd of its own: started, hung, killed, upgraded, retrained, taken away'
	@echo 'make drift-demo a model of May, traffic of December: alert, retraining and all-clear, in three minutes'
	@echo 'make tsan       system tests with a thread sanitizer; valgrind: system tests under it (PYTEST=)'
	@echo 'make bench      the table of docs/performance.md, measured here (PART=monitoring: what monitoring costs, alone)'
	@echo 'make docs       renew generated tables; ui: fetch Swagger UI and ReDoc; screenshots: draw the dashboards'
	@echo 'make lint       style, static analysis, man pages, scripts'
	@echo 'make install    under PREFIX=$(PREFIX), SYSCONFDIR=$(SYSCONFDIR), MANDIR, DESTDIR; uninstall takes it away'
	@echo 'make deb        a Debian package in $(BUILD)/deb/'
	@echo 'make clean      remove build/'
	@echo 'Honours CC CPPFLAGS CFLAGS LDFLAGS. With CI set, warnings are errors.'

.PHONY: all model run test unit system sanitize operator container units sanitized bench screenshots lint docs clean help ui .flags
.SECONDARY:
