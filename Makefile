# SPDX-License-Identifier: Apache-2.0
#
#   make              build/standind and build/standinctl
#   make check        install what is needed, build, lint, run every test             (as root)
#   make demo         a small LAN, a crash, a takeover, a failback, with a timeline   (as root)
#   make deps         install the Debian packages that all this needs                 (as root)
#   make check-long   what does not fit into that: every fault, all tests with sanitizers, valgrind, longer fuzzing
#   make test-unit    the unit tests alone
#   make sim [SEED=n] the worlds on virtual time; SEED=n: random worlds from that one on
#   make sim HOURS=n  random worlds with fresh seeds until n hours have passed in them; HOURS=forever
#   make sim-mutants  breaks the agent in many ways, each of which the worlds must tell [MUTANT='name']
#   make chaos        random faults of real programs on LANs of namespaces [TIME=seconds] [SEED=n]   (as root)
#   make peers        side by side with keepalived and ucarp, in numbers            (as root)
#   make bench        failover, claims, false alarms, costs beside peers: docs/benchmarks.md, 20 minutes  (as root)
#                     [BENCH=name] one of them, without the document; [QUICK=1] fewer turns
#   make bench-counts expect the instructions that the micro-benches take now; `make check` fails what takes 10 % more
#   make lint         everything that judges the sources; `make lint-list` names the parts
#   make coverage     lines that unit tests and worlds reach, with the limits that must hold
#   make fuzz [TIME=seconds] [FUZZ=name]
#   make install uninstall [DESTDIR=] [PREFIX=/usr]
#   make clean
#
# V=1 shows the commands. SANITIZE=1 builds with ASan and UBSan, DEBUG=1 without optimisation; each has a build folder
# of its own.

VERSION := 0.1.0
PREFIX  ?= /usr
DESTDIR ?=
BUILD   ?= build$(if $(FUZZING),-fuzz)$(if $(SANITIZE),-sanitize)$(if $(COVERAGE),-coverage)$(if $(DEBUG),-debug)
CC      ?= cc
# Fuzzers are built by clang, whose warnings lint-tidy judges.
WERROR  ?= $(if $(CI),$(if $(FUZZING),,-Werror))
JOBS    ?= $(shell nproc)
TIME    ?= 60
export BUILD
export PYTHONDONTWRITEBYTECODE := 1
MAKEFLAGS += --no-print-directory

PACKAGES := libnl-3.0 libnl-route-3.0 libmnl libpcap libsystemd jansson libcap-ng
# Of the helper alone: nothing that speaks TLS or DNS is ever in a process of root.
HELPER_PACKAGES := libcurl ldns libseccomp
CFLAGS   ?= -O2 -g
STANDARD := -std=gnu17 -D_GNU_SOURCE -DSTANDIN_VERSION='"$(VERSION)"' -DSTANDIN_LIBDIR='"$(PREFIX)/lib/standin"'
WARNINGS := -Wall -Wextra -Wswitch-enum -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wwrite-strings -Wundef -Wformat=2 $(WERROR)
HARDEN   := -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection
LINK     := -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--as-needed
ifdef FUZZING
  CC     := clang
  CFLAGS := -O1 -g
  HARDEN := -fPIE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
  LINK   := -pie -fsanitize=fuzzer,address,undefined
else ifdef SANITIZE
  HARDEN := -fPIE -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
  LINK   := -pie -fsanitize=address,undefined
else ifdef COVERAGE
  CFLAGS := -O0 -g --coverage
  LINK   += --coverage
else ifdef DEBUG
  CFLAGS := -O0 -g3
else
  HARDEN += -D_FORTIFY_SOURCE=2
endif
# Asked of pkg-config at the first use, once: `make deps` runs where it is not installed yet.
PACKAGE_CFLAGS = $(eval PACKAGE_CFLAGS := $(shell pkg-config --cflags $(PACKAGES)))$(PACKAGE_CFLAGS)
LIBS           = $(eval LIBS := $(shell pkg-config --libs $(PACKAGES)))$(LIBS)
HELPER_LIBS    = $(eval HELPER_LIBS := $(shell pkg-config --libs $(HELPER_PACKAGES)))$(HELPER_LIBS)
libs_of        = $(LIBS) $(if $(filter helper,$(1)),$(HELPER_LIBS))
ALL_CFLAGS     = $(STANDARD) $(WARNINGS) $(HARDEN) -I. -I$(BUILD) $(PACKAGE_CFLAGS) $(CFLAGS)

# One archive a folder. A unit test links only what its folder may know, so that a wrong arrow does not link.
base_DIR    := agent/base
core_DIR    := agent/core
config_DIR  := agent/config
control_DIR := agent/control
effects_DIR := agent/effects
guard_DIR   := agent/guard
runner_DIR  := agent/runner
helper_DIR  := agent/helper
shell_DIR   := agent/shell
netlink_DIR := netlink
arp_DIR     := arp
probes_DIR  := probes
FOLDERS     := shell control config runner helper effects guard core netlink probes arp base

base_KNOWS    := base
core_KNOWS    := core base
config_KNOWS  := config base
control_KNOWS := control base
effects_KNOWS := effects base
guard_KNOWS   := guard netlink arp base
runner_KNOWS  := runner effects base
helper_KNOWS  := helper effects base
netlink_KNOWS := netlink base
arp_KNOWS     := arp base
probes_KNOWS  := probes arp base
shell_KNOWS   := $(filter-out runner helper,$(FOLDERS))

# What a program adds to the archives it links.
PROGRAM_SOURCES := agent/main.c agent/control/standinctl.c agent/runner/standin_runner.c \
                   agent/helper/standin_helper.c
GENERATED       := $(BUILD)/agent/config/grammar.tab.c $(BUILD)/agent/config/scanner.lex.c
sources_of       = $(filter-out $(PROGRAM_SOURCES),$(wildcard $($(1)_DIR)/*.c))
objects_of       = $(patsubst %.c,$(BUILD)/%.o,$(call sources_of,$(1)))
archives_of      = $(foreach folder,$($(1)_KNOWS),$(BUILD)/$(folder).a)

# Before a recipe's command: names what is made instead of showing the command, unless V=1.
quiet = $(if $(V),,@printf '  %-6s %s\n' $(1) $@;)

all: $(BUILD)/standind $(BUILD)/standinctl $(BUILD)/standin-runner $(BUILD)/standin-helper

$(BUILD)/standind: $(BUILD)/agent/main.o $(call archives_of,shell)
	$(call quiet,LINK)$(CC) $(LINK) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/standinctl: $(BUILD)/agent/control/standinctl.o $(call archives_of,control)
	$(call quiet,LINK)$(CC) $(LINK) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/standin-runner: $(BUILD)/agent/runner/standin_runner.o $(call archives_of,runner)
	$(call quiet,LINK)$(CC) $(LINK) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/standin-helper: $(BUILD)/agent/helper/standin_helper.o $(call archives_of,helper)
	$(call quiet,LINK)$(CC) $(LINK) $(LDFLAGS) -o $@ $^ $(call libs_of,helper)

define archive
$(BUILD)/$(1).a: $(call objects_of,$(1)) $(if $(filter config,$(1)),$(GENERATED:.c=.o))
	@rm -f $$@
	$$(call quiet,AR)ar rcs $$@ $$^
endef
$(foreach folder,$(FOLDERS),$(eval $(call archive,$(folder))))

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: $(BUILD)/%.c Makefile
	$(call quiet,CC)$(CC) $(ALL_CFLAGS) -Wno-unused-function -MMD -MP -c -o $@ $<

$(BUILD)/agent/config/grammar.tab.c: agent/config/grammar.y
	@mkdir -p $(@D)
	$(call quiet,BISON)bison -Wall -Werror -d -o $@ $<
$(BUILD)/agent/config/scanner.lex.c: agent/config/scanner.l
	@mkdir -p $(@D)
	$(call quiet,FLEX)flex --header-file=$(@:.c=.h) -o $@ $<
$(call objects_of,config): | $(GENERATED)
$(BUILD)/agent/config/scanner.lex.o: | $(BUILD)/agent/config/grammar.tab.c
$(BUILD)/agent/config/grammar.tab.o: | $(BUILD)/agent/config/scanner.lex.c

# Unit tests: tests/unit/FOLDER_what.c links what FOLDER may know, and cmocka.
UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*.c))
folder_of_test = $(firstword $(subst _, ,$(notdir $(1))))
.SECONDEXPANSION:
$(UNIT): $(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $$(call archives_of,$$(call folder_of_test,$$*))
	$(call quiet,LINK)$(CC) $(LINK) $(LDFLAGS) -o $@ $^ $(call libs_of,$(call folder_of_test,$*)) -lcmocka
# It starts the program.
$(BUILD)/tests/unit/effects_jobs: | $(BUILD)/standin-runner
unit: $(UNIT)

# Worlds: tests/sim/world_what.c links everything, and what tests/sim/lib*.c offers. They read SEED.
WORLDS      := $(patsubst tests/sim/%.c,$(BUILD)/tests/sim/%,$(wildcard tests/sim/world_*.c))
WORLD_LIB   := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/sim/lib*.c))
$(WORLDS): $(BUILD)/tests/sim/%: $(BUILD)/tests/sim/%.o $(WORLD_LIB) $(call archives_of,shell)
	$(call quiet,LINK)$(CC) $(LINK) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
worlds: $(WORLDS)

# The model of tests/faults: the product as it is, but for its allocations, which tests/faults/memory.c may let fail.
FAULTS         := $(BUILD)/tests/faults/model $(BUILD)/tests/faults/preload.so
FAULTY         := malloc calloc realloc reallocarray strdup open_memstream asprintf vasprintf
FAULT_WRAPPED  := free sim_ports agent_new agent_load ipmap_parse
FAULT_ARCHIVES := $(patsubst $(BUILD)/%,$(BUILD)/tests/faults/%,$(call archives_of,shell))
FAULT_OBJECTS  := $(patsubst %.c,$(BUILD)/%.o,$(filter-out %/preload.c,$(wildcard tests/faults/*.c)))
$(FAULT_ARCHIVES): $(BUILD)/tests/faults/%.a: $(BUILD)/%.a
	@mkdir -p $(@D)
	$(call quiet,RENAME)objcopy $(foreach name,$(FAULTY),--redefine-sym $(name)=fault_$(name)) \
	    --redefine-sym __asprintf_chk=fault_asprintf_chk --redefine-sym __vasprintf_chk=fault_vasprintf_chk $< $@
$(BUILD)/tests/faults/model: $(FAULT_OBJECTS) $(WORLD_LIB) $(FAULT_ARCHIVES)
	$(call quiet,LINK)$(CC) $(LINK) $(LDFLAGS) $(foreach name,$(FAULT_WRAPPED),-Wl,--wrap=$(name)) -o $@ $^ $(LIBS) \
	    -lcmocka
# Where a sanitizer has malloc, the library leaves it alone.
$(BUILD)/tests/faults/preload.so: tests/faults/preload.c Makefile
	@mkdir -p $(@D)
	$(call quiet,LINK)$(CC) $(STANDARD) $(WARNINGS) -O2 -g -fno-builtin -shared -fPIC \
	    $(if $(SANITIZE),-DKEEP_MEMORY) -o $@ $<
faults: $(FAULTS)

# Micro-benches: tests/bench/micro_FOLDER_what.c links what FOLDER may know.
MICRO := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(wildcard tests/bench/micro_*.c))
folder_of_micro = $(word 2,$(subst _, ,$(notdir $(1))))
$(MICRO): $(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $$(call archives_of,$$(call folder_of_micro,$$*))
	$(call quiet,LINK)$(CC) $(LINK) $(LDFLAGS) -o $@ $^ $(LIBS)
micro: $(MICRO)
# What measures in `make bench`: one file each.
METERS := $(foreach name,meter sleeper floor echo,$(BUILD)/tests/bench/$(name))
$(METERS): $(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o
	$(call quiet,LINK)$(CC) $(LINK) $(LDFLAGS) -o $@ $^ -lmnl
# The simulator with the program's calls timed.
SCALE_WRAPPED := agent_new agent_load agent_turn agent_flush agent_on_reply agent_on_heard agent_on_claim_result \
                 agent_on_address_changed
$(BUILD)/tests/bench/scale: $(BUILD)/tests/bench/scale.o $(WORLD_LIB) $(call archives_of,shell)
	$(call quiet,LINK)$(CC) $(LINK) $(LDFLAGS) $(foreach name,$(SCALE_WRAPPED),-Wl,--wrap=$(name)) -o $@ $^ $(LIBS) \
	    -lcmocka
meters: $(METERS) $(BUILD)/tests/bench/scale
# Counts and times are of the plain build, whatever flavour the rest is.
PLAIN := SANITIZE= COVERAGE= DEBUG= FUZZING= BUILD=$(if $(SANITIZE)$(COVERAGE)$(DEBUG)$(FUZZING),build,$(BUILD))

# Fuzzers: tests/fuzz/NAME.c links what the folder of FUZZ_NAME may know. They are built in a flavour of their own.
FUZZ_frame   := arp
FUZZ_icmp    := probes
FUZZ_ipmap   := config
FUZZ_key     := config
FUZZ_control := control
FUZZ_journal := effects
FUZZ_netlink := netlink
FUZZ_guard   := guard
FUZZ_job     := effects
FUZZ_message := helper
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/*.c))
folder_of_fuzzer = $(or $(FUZZ_$(1)),$(error tests/fuzz/$(1).c needs a line FUZZ_$(1) in the Makefile))
$(FUZZERS): $(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $$(call archives_of,$$(call folder_of_fuzzer,$$*))
	$(call quiet,LINK)$(CC) $(LINK) $(LDFLAGS) -o $@ $^ $(call libs_of,$(call folder_of_fuzzer,$*))
ifdef FUZZING
fuzzers: $(FUZZERS)
else
fuzzers:
	@$(MAKE) FUZZING=1 BUILD=$(BUILD)-fuzz fuzzers
endif

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# Everything below runs things; nothing of it is needed to build.

DEPS_BUILD := make gcc libc6-dev pkg-config bison flex libnl-3-dev libnl-route-3-dev libmnl-dev libpcap-dev \
              libsystemd-dev libjansson-dev libcap-ng-dev libcurl4-openssl-dev libldns-dev libseccomp-dev \
              ca-certificates
DEPS_LAN   := python3 iproute2 iputils-arping iputils-ping nftables strace tcpdump
DEPS_PEERS := keepalived ucarp
DEPS_BENCH := fping stress-ng libcmocka-dev
DEPS_CHECK := libcmocka-dev clang libclang-rt-dev llvm clang-format clang-tidy cppcheck mandoc shellcheck pyflakes3 \
              gcovr systemd systemd-container mmdebstrap valgrind bind9 bind9-dnsutils libfaketime nginx-light vsftpd \
              exim4-daemon-light dovecot-imapd dovecot-pop3d openssl dbus-daemon rsync
deps:
	@.ci/deps $(DEPS_BUILD) $(DEPS_LAN) $(DEPS_PEERS) $(DEPS_CHECK)

demo:
	@.ci/deps $(DEPS_BUILD) $(DEPS_LAN)
	@$(MAKE) -j$(JOBS) all
	@python3 tests/demo.py

check: deps
	@$(MAKE) -j$(JOBS) all
	+@python3 tests/run.py

check-long: deps
	@$(MAKE) -j$(JOBS) all
	+@python3 tests/run.py --long

test-unit:
	+@python3 tests/run.py --only unit/
sim: $(if $(HOURS),worlds)
	+@$(if $(HOURS),$(BUILD)/tests/sim/world_random,python3 tests/run.py --only sim/)

# The flags of this build, for one file at a time.
sim-mutants: export MUTANT_CC = $(CC)
sim-mutants: export MUTANT_CFLAGS = $(ALL_CFLAGS)
sim-mutants: export MUTANT_LINK = $(LINK) $(LDFLAGS)
sim-mutants: export MUTANT_ARCHIVES = $(call archives_of,shell)
sim-mutants: export MUTANT_LIBS = $(LIBS)
sim-mutants: worlds
	@python3 tests/mutants/run.py $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(MUTANT),"$$MUTANT")

chaos: all
	@python3 tests/chaos/chaos.py --seconds $(TIME)
peers: all
	@.ci/deps $(DEPS_LAN) $(DEPS_PEERS)
	@python3 tests/peers/peers.py

# Beside keepalived, ucarp, fping and the kernel alone: some 20 minutes. BENCH=name for one, QUICK=1 for fewer turns.
bench:
	@.ci/deps $(DEPS_BUILD) $(DEPS_LAN) $(DEPS_PEERS) $(DEPS_BENCH)
	@$(MAKE) $(PLAIN) -j$(JOBS) all meters
	@env $(PLAIN) python3 tests/bench/bench.py $(if $(QUICK),--quick) $(if $(BENCH),--only $(BENCH),--report)

# What counts.py expects of the workloads' instructions, as they are now.
plain-micro:
	+@$(MAKE) $(PLAIN) micro
bench-counts: plain-micro
	@env $(PLAIN) python3 tests/bench/counts.py --write
bench-check: plain-micro
	@env $(PLAIN) python3 tests/bench/counts.py

# The product's own lines in numbers. The limits are for the parts that decide and parse.
COVERED := agent/core probes/tracker.c arp/frame.c
coverage:
	@find $(BUILD)-coverage -name '*.gcda' -delete 2>/dev/null || true
	+@COVERAGE=1 BUILD=$(BUILD)-coverage python3 tests/run.py --only unit/ --only sim/
	@python3 tests/coverage.py --build $(BUILD)-coverage --limit 95 $(COVERED)

# Each fuzzer in turn. What it finds stays in $(BUILD)-fuzz/finds and is printed.
fuzz: fuzzers
	@python3 tests/fuzz/run.py --build $(BUILD)-fuzz --seconds $(TIME) $(FUZZ)

SOURCES  := $(wildcard agent/*.c $(foreach folder,$(FOLDERS),$($(folder)_DIR)/*.c))
HEADERS  := $(wildcard $(foreach folder,$(FOLDERS),$($(folder)_DIR)/*.h) tests/*/*.h)
TESTS    := $(wildcard tests/unit/*.c tests/sim/*.c tests/fuzz/*.c tests/faults/*.c tests/bench/*.c)
PYTHON   := $(wildcard tests/*.py tests/*/*.py)
SCRIPTS  := $(wildcard .ci/*) systemd/standin-generator $(wildcard tests/*.sh tests/*/*.sh)
# Objects that must be pure: events in, actions out. The announcer alone may allocate.
PURE     := $(call objects_of,core) $(call objects_of,base) $(BUILD)/probes/tracker.o $(BUILD)/arp/frame.o \
            $(BUILD)/arp/filter.o
PURE_ALLOCATING := $(BUILD)/arp/announcer.o

LINTS := format tidy cppcheck includes purity style grammar man scripts systemd selftest
lint:
	+@python3 tests/run.py --only lint/
lint-list:
	@echo $(LINTS)

lint-format:
	@clang-format --dry-run -Werror $(SOURCES) $(HEADERS) $(TESTS)

# One stamp a file, so that only what changed is read again; the object brings the dependence on headers.
TIDIED := $(patsubst %.c,$(BUILD)/tidy/%.ok,$(SOURCES) $(TESTS))
lint-tidy:
	@$(MAKE) -j$(JOBS) -O -k tidied
tidied: $(TIDIED)
$(TIDIED): $(BUILD)/tidy/%.ok: %.c $(BUILD)/%.o .clang-tidy $(wildcard tests/.clang-tidy)
	@mkdir -p $(@D)
	@clang-tidy --quiet $< -- $(STANDARD) $(filter-out $(WERROR),$(WARNINGS)) -I. -I$(BUILD) $(PACKAGE_CFLAGS) \
	    2>$@.err || { grep -v 'warnings\? generated' $@.err; exit 1; }
	@touch $@

lint-cppcheck:
	@mkdir -p $(BUILD)/cppcheck
	@cppcheck --quiet -j $(JOBS) --cppcheck-build-dir=$(BUILD)/cppcheck --std=c11 --language=c --platform=unix64 \
	    --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	    --suppressions-list=tests/lint/cppcheck.suppressions --include=tests/lint/cppcheck.h -D_GNU_SOURCE -I. \
	    $(SOURCES) $(TESTS)

# The arrows of the KNOWS lists above.
lint-includes:
	@python3 tests/lint/includes.py $(foreach folder,$(FOLDERS),'$(folder):$($(folder)_DIR):$($(folder)_KNOWS)')

lint-purity: $(PURE) $(PURE_ALLOCATING)
	@python3 tests/lint/purity.py $(PURE) --allocating $(PURE_ALLOCATING)

lint-style:
	@python3 tests/lint/style.py $(foreach folder,$(FOLDERS),$($(folder)_DIR))

lint-grammar:
	@mkdir -p $(BUILD)
	@bison -Wall -Wcounterexamples -Werror -o $(BUILD)/grammar.lint.c agent/config/grammar.y
	@test -z "$$(flex -t agent/config/scanner.l 2>&1 >/dev/null | tee /dev/stderr)"

lint-man:
	@test -n '$(MAN_PAGES)'
	@mandoc -Tlint -Wwarning $(MAN_PAGES)

lint-scripts:
	@shellcheck $(SCRIPTS)
	@PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(abspath $(BUILD))/python python3 -W error -m py_compile $(PYTHON)
	@pyflakes3 $(PYTHON)

lint-systemd: all
	@python3 tests/lint/systemd.py

lint-selftest:
	@python3 -m unittest discover --quiet --start-directory tests/lint

UNIT_DIR   := $(DESTDIR)$(PREFIX)/lib/systemd/system
SBIN       := $(DESTDIR)$(PREFIX)/sbin
LIB        := $(DESTDIR)$(PREFIX)/lib/standin
UNITS      := standind.service standin-runner.service standin-runner.socket standin-helper@.service \
              standin-helper.socket standin-sync@.service standin-sync@.timer
GENERATORS := $(DESTDIR)$(PREFIX)/lib/systemd/system-generators
DOC_DIR    := $(DESTDIR)$(PREFIX)/share/doc/standin
MAN_PAGES  := $(wildcard man/*.[1-8])
man_dir     = $(DESTDIR)$(PREFIX)/share/man/man$(patsubst .%,%,$(suffix $(1)))
INSTALLED  := $(SBIN)/standind $(SBIN)/standinctl $(LIB)/standin-runner $(LIB)/standin-helper \
              $(addprefix $(UNIT_DIR)/,$(UNITS)) $(GENERATORS)/standin-generator \
              $(DESTDIR)$(PREFIX)/lib/sysusers.d/standin.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/standin.conf \
              $(addprefix $(DOC_DIR)/,networkd.conf NetworkManager.conf protect-a-web-site.md) \
              $(foreach page,$(MAN_PAGES),$(call man_dir,$(page))/$(notdir $(page)))
install: all
	install -d $(DESTDIR)/etc/standin/sync
	install -D -m 0755 -t $(SBIN) $(BUILD)/standind $(BUILD)/standinctl
	install -D -m 0755 -t $(LIB) $(BUILD)/standin-runner $(BUILD)/standin-helper
	install -D -m 0644 -t $(UNIT_DIR) $(addprefix systemd/,$(UNITS))
	install -D -m 0755 -t $(GENERATORS) systemd/standin-generator
	sed -i 's|/usr/sbin/|$(PREFIX)/sbin/|; s|/usr/lib/standin/|$(PREFIX)/lib/standin/|' \
	    $(addprefix $(UNIT_DIR)/,$(UNITS)) $(GENERATORS)/standin-generator
	install -D -m 0644 systemd/standin.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/standin.conf
	install -D -m 0644 systemd/standin.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/standin.conf
	install -D -m 0644 systemd/standin.networkd $(DOC_DIR)/networkd.conf
	install -D -m 0644 systemd/standin.networkmanager $(DOC_DIR)/NetworkManager.conf
	install -D -m 0644 -t $(DOC_DIR) docs/protect-a-web-site.md
	$(foreach page,$(MAN_PAGES),install -D -m 0644 -t $(call man_dir,$(page)) $(page) &&) true
# The administrator's /etc/standin stays, unless it is empty.
uninstall:
	rm -f $(INSTALLED)
	test ! -d $(LIB) || rmdir --ignore-fail-on-non-empty $(LIB)
	test ! -d $(DESTDIR)/etc/standin/sync || rmdir --ignore-fail-on-non-empty $(DESTDIR)/etc/standin/sync
	test ! -d $(DESTDIR)/etc/standin || rmdir --ignore-fail-on-non-empty $(DESTDIR)/etc/standin

clean:
	rm -rf build build-*

.PHONY: all unit worlds fuzzers faults micro plain-micro meters deps demo check check-long test-unit sim sim-mutants \
        chaos peers bench bench-counts bench-check coverage fuzz lint lint-list tidied \
        $(addprefix lint-,$(LINTS)) install uninstall clean
