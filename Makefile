# Akin: build, test, install. `make help` lists the targets.
VERSION := 0.1.0
PREFIX  ?= /usr/local
BUILD   ?= build
PYTHON  := /usr/bin/python3

CC      ?= cc
CFLAGS  ?= -O2 -g
WARN    := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wundef -Wvla
HARDEN  := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
ifdef CI
WARN    += -Werror
endif
ALL_CFLAGS  = -std=c11 -D_GNU_SOURCE -DAKIN_VERSION='"$(VERSION)"' -pthread $(WARN) $(HARDEN) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now $(LDFLAGS)

SHM_C     := $(wildcard shm/*.c)
METRICS_C := $(wildcard metrics/*.c)
SERVER_C  := $(wildcard server/*.c)
PREP_C    := $(wildcard prep/*.c)
UNIT_C    := $(wildcard tests/unit/test_*.c)
objects    = $(patsubst %.c,$(BUILD)/%.o,$(1))

PROGRAMS  := $(BUILD)/akin-prep $(BUILD)/akin-server
UNITS     := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_C))
PREP_LIBS   := -llz4 -lxxhash -ljansson -lm
SERVER_LIBS := -lcivetweb -llz4 -lxxhash -ljansson -linih -lm

all: $(PROGRAMS)

$(BUILD)/akin-prep: $(call objects,$(PREP_C) $(SHM_C))
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(PREP_LIBS)
$(BUILD)/akin-server: $(call objects,$(SERVER_C) $(METRICS_C) $(SHM_C))
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(SERVER_LIBS)
$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(call objects,$(filter-out %/main.c,$(SERVER_C) $(METRICS_C) $(PREP_C) $(SHM_C)))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(SERVER_LIBS) -lcmocka
$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/server/openapi.o: server/openapi.json
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

unit: $(UNITS)
	@set -e; for t in $(UNITS); do $$t; done

clean:
	rm -rf build

.PHONY: all unit clean
.SECONDARY:
