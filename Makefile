# Conclave: one Makefile, no recursion into directories. `make help` lists the targets.
#
#   make deps demo            a bare Debian or Ubuntu machine to a running cluster
#   make SANITIZE=address,undefined test-unit
#   make V=1 WERROR= CFLAGS=-O3 prefix=$HOME/.local install
#
# A source file is picked up by where it lies; nothing is listed by hand.

.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
SHELL := /bin/sh

# --- What the user may set ----------------------------------------------------------------------

CFLAGS       ?= -O2 -g
CPPFLAGS     ?=
LDFLAGS      ?=
WERROR       ?= -Werror
SANITIZE     ?=
V            ?=
prefix       ?= $(or $(PREFIX),/usr/local)
bindir       ?= $(prefix)/bin
docdir       ?= $(prefix)/share/doc/conclave
mandir       ?= $(prefix)/share/man
libdir       ?= $(prefix)/lib
includedir   ?= $(prefix)/include
DESTDIR      ?=
INSTALL      ?= install
CLANG        ?= clang
CLANG_FORMAT ?= clang-format
PKG_CONFIG   ?= pkg-config
OBJCOPY      ?= objcopy
# The distribution's interpreter, because the distribution's pyzmq, msgpack and pytest are its modules.
PYTHON       ?= /usr/bin/python3
PYTEST_ARGS  ?=
UNIT         ?=
BENCH_ARGS   ?=
HISTORY_ARGS ?=
HISTORY_KEPT ?=
FUZZ_SECONDS ?= 60
FUZZ         ?=
# Of make chaos and make chaos-long.
SECONDS      ?= 60
MINUTES      ?= 30
NODES        ?= 5
STEADY_ARGS  ?=
# make sim: SEED=n tells the story of one seed; SEEDS=n runs so many from SEED_FROM (1) on; else as many fresh
# ones as fit into SIM_SECONDS (from SEED_FROM on, if it is given: `make test` has the same ones every time). SIM_JOBS at a time (one a processor). MUTANTS=1 is a build with known bugs to plant.
SEED         ?=
SEEDS        ?=
SEED_FROM    ?=
SIM_SECONDS  ?= 60
SIM_JOBS     ?=
MUTANT       ?=
MUTANTS      ?=
ifeq ($(origin CC),default)
CC := gcc
endif

comma := ,
VARIANT := $(if $(MUTANTS),mutants-)$(if $(SANITIZE),$(if $(filter address,$(subst $(comma), ,$(SANITIZE))),asan,$(subst $(comma),-,$(SANITIZE))),release)
VARIANT := $(VARIANT:mutants-release=mutants)
B := build/$(VARIANT)
Q := $(if $(V),,@)
say = $(if $(V),:,printf '  %-7s %s\n' $(1) $(2))

# Recursive makes use every processor unless the user chose -j.
sub_make = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc 2>/dev/null || echo 2))

# --- Flags --------------------------------------------------------------------------------------

# pkg-config is asked when the first recipe needs the answer, not when make starts: `make demo` on a
# bare machine installs pkg-config on its way. msgpack-c has two names; flint, gmp, lmdb and zlib may have none.
packages = libzmq libczmq $(shell $(PKG_CONFIG) --exists msgpack-c && echo msgpack-c || echo msgpack) jansson libsodium nettle libmicrohttpd fftw3
bare_libs = $(foreach p,flint gmp lmdb zlib,$(shell $(PKG_CONFIG) --libs $(p) 2>/dev/null || echo -l$(p:zlib=z))) -lm
PKG_CFLAGS  = $(eval PKG_CFLAGS := $$(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags $(packages))))$(PKG_CFLAGS)
PKG_LIBS    = $(eval PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(packages)) $(bare_libs))$(PKG_LIBS)
CMOCKA_LIBS = $(eval CMOCKA_LIBS := $(shell $(PKG_CONFIG) --libs cmocka))$(CMOCKA_LIBS)

# The allocator of the nodes: one whose threads never wait for each other (docs/decisions.md). First of all libraries, so
# that its malloc is the one that everybody calls. Sanitizers and valgrind have their own.
alloc_libs  := $(if $(SANITIZE),,-Wl$(comma)--no-as-needed -lmimalloc -Wl$(comma)--as-needed)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings $(WERROR)
sanitizer := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)

# Asserts stay on: NDEBUG is never defined here.
all_cppflags = -I. -D_GNU_SOURCE $(if $(MUTANTS),-DCONCLAVE_MUTANTS) $(PKG_CFLAGS) $(CPPFLAGS)
# Position-independent and hidden, so that the same objects make the shared library; it costs the programs nothing.
all_cflags   = -std=c11 -pthread -fPIC $(WARNINGS) $(sanitizer) $(CFLAGS)
all_ldflags  = -pthread -Wl,--as-needed $(sanitizer) $(CFLAGS) $(LDFLAGS)
compile      = $(CC) $(all_cppflags) $(all_cflags) -MMD -MP

# --- Sources ------------------------------------------------------------------------------------

LIBS        := base wire bus snapshot tasks core work io broker clients
srcs_base   := $(wildcard shared/base/*.c)
srcs_wire   := $(wildcard shared/wire/*.c)
srcs_bus    := $(wildcard shared/bus/*.c)
srcs_core   := $(wildcard nodes/core/*.c nodes/core/*/*.c)
srcs_work   := $(wildcard nodes/work/*.c)
srcs_io     := $(wildcard nodes/io/*.c)
srcs_broker  := $(filter-out broker/main.c,$(wildcard broker/*.c))
srcs_clients := $(filter-out clients/main.c,$(wildcard clients/*.c clients/*/*.c))
srcs_snapshot := $(wildcard shared/snapshot/*.c)
srcs_tasks   := $(wildcard shared/tasks/*.c)
objs         = $(patsubst %.c,$(B)/obj/%.o,$(1))
lib          = $(patsubst %,$(B)/lib/lib%.a,$(1))

PROGRAMS             := conclave conclave-node conclave-broker
srcs_conclave        := $(wildcard clients/main.c)
srcs_conclave-node   := $(wildcard nodes/main.c)
srcs_conclave-broker := $(wildcard broker/main.c)
# of the core: what a job may be (nodes/core/kinds)
libs_conclave        := clients snapshot tasks core bus wire base
libs_conclave-node   := io work tasks core bus wire base
libs_conclave-broker := broker bus wire base
alloc_conclave-node  := $(alloc_libs)
programs             := $(foreach p,$(PROGRAMS),$(if $(srcs_$(p)),$(B)/bin/$(p)))

unit_tests   := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
unit_helpers := $(wildcard tests/harness/*.c) $(filter-out tests/sim/main.c,$(wildcard tests/sim/*.c))

# But for those of programs that test_library.py compiles against what is installed.
headers  := $(filter-out tests/cluster/%,$(wildcard shared/*/*.h shared/*/*/*.h nodes/*.h nodes/*/*.h nodes/*/*/*.h broker/*.h clients/*.h clients/*/*.h tests/*/*.h))
c_files  := $(wildcard shared/*/*.c nodes/*.c nodes/*/*.c nodes/*/*/*.c broker/*.c clients/*.c clients/*/*.c tests/*/*.c)

.PHONY: all
all: $(programs) lib ## build the three programs into build/VARIANT/bin, and libconclave into build/VARIANT/lib

# --- Compiling and linking ----------------------------------------------------------------------

.PHONY: force
force:

# A file that changes only when its content does: what was compiled with other flags, or archived
# from other members, is made again.
define remember
@mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(1))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(1))' >$@
endef

$(B)/flags: force
	$(call remember,$(CC) $(all_cppflags) $(all_cflags) / $(all_ldflags) $(alloc_libs) $(PKG_LIBS))

$(B)/obj/%.o: %.c $(B)/flags
	@mkdir -p $(@D); $(call say,CC,$<)
	$(Q)$(compile) -c -o $@ $<

# The page of conclave web lies in the program.
page_files   := $(wildcard clients/web/page/*)
made_clients := $(B)/obj/made/page_files.o
$(B)/made/page_files.c: $(page_files) clients/web/embed.sh
	@mkdir -p $(@D); $(call say,EMBED,$@)
	$(Q)sh clients/web/embed.sh $(page_files) >$@
$(B)/obj/made/%.o: $(B)/made/%.c $(B)/flags
	@mkdir -p $(@D); $(call say,CC,$<)
	$(Q)$(compile) -c -o $@ $<

define library
$(B)/lib/$(1).list: force
	$$(call remember,$(srcs_$(1)) $(made_$(1)))
$(B)/lib/lib$(1).a: $(call objs,$(srcs_$(1))) $(made_$(1)) $(B)/lib/$(1).list
	@mkdir -p $$(@D); $$(call say,AR,$$@)
	$$(Q)rm -f $$@ && $(AR) rcs $$@ $(call objs,$(srcs_$(1))) $(made_$(1))
endef
$(foreach l,$(LIBS),$(eval $(call library,$(l))))

link = $(CC) $(all_ldflags) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group

define program
$(B)/bin/$(1): $(call objs,$(srcs_$(1))) $(call lib,$(libs_$(1)))
	@mkdir -p $$(@D); $$(call say,LINK,$$@)
	$$(Q)$$(link) $(alloc_$(1)) $$(PKG_LIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

$(B)/unit/%: $(B)/obj/tests/unit/%.o $(call objs,$(unit_helpers)) $(call lib,$(LIBS))
	@mkdir -p $(@D); $(call say,LINK,$@)
	$(Q)$(link) $(CMOCKA_LIBS) $(PKG_LIBS) -lmpfr -lm
.SECONDARY:

# libconclave: what clients/library/conclave.h says, and what that needs. One object with all other names made local, so
# that a program that links it statically meets none of them.
library_version := $(shell sed -n 's/^.define CONCLAVE_VERSION "\(.*\)"/\1/p' shared/base/version.h)
library_soname  := libconclave.so.0
library_shared  := $(B)/lib/libconclave.so.$(library_version)
library_static  := $(B)/lib/libconclave.a
library_made    := $(library_shared) $(library_static) $(B)/lib/conclave.pc
library_needs    = $(eval library_needs := $(shell $(PKG_CONFIG) --libs libzmq libsodium nettle jansson $(word 3,$(packages))) $(shell $(PKG_CONFIG) --libs gmp 2>/dev/null || echo -lgmp) -lz -lm)$(library_needs)
.PHONY: lib
lib: $(library_made) ## libconclave, shared and static, into build/VARIANT/lib
$(B)/lib/conclave-whole.o: $(call objs,$(wildcard clients/library/*.c)) $(call lib,clients snapshot tasks core bus wire base)
	@mkdir -p $(@D); $(call say,LINK,$@)
	$(Q)$(CC) -nostdlib -r -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group
$(library_static): $(B)/lib/conclave-whole.o
	@$(call say,AR,$@)
	$(Q)rm -f $@ && $(OBJCOPY) --wildcard --keep-global-symbol="conclave_*" $< $(B)/lib/conclave.o && $(AR) rcs $@ $(B)/lib/conclave.o
$(library_shared): $(B)/lib/conclave-whole.o clients/library/libconclave.map
	@$(call say,LINK,$@)
	$(Q)$(CC) $(all_ldflags) -shared -Wl,-soname,$(library_soname) -Wl,--version-script,clients/library/libconclave.map -Wl,-z,defs -o $@ $< $(library_needs)
	$(Q)ln -sf $(@F) $(B)/lib/$(library_soname) && ln -sf $(library_soname) $(B)/lib/libconclave.so
$(B)/lib/pc.list: force
	$(call remember,$(prefix) $(libdir) $(includedir) $(library_version) $(library_needs))
$(B)/lib/conclave.pc: clients/library/conclave.pc.in $(B)/lib/pc.list
	@mkdir -p $(@D)
	$(Q)sed -e 's|@prefix@|$(prefix)|; s|@libdir@|$(libdir)|; s|@includedir@|$(includedir)|' \
	  -e 's|@version@|$(library_version)|; s|@private@|$(library_needs)|' $< >$@

# Libraries that a test loads into a program before all others, to stand in for the C library. No sanitizers: these want to
# be loaded first themselves.
shims := $(patsubst tests/shim/%.c,$(B)/lib/%.so,$(wildcard tests/shim/*.c))
.PHONY: shims
shims: $(shims) ## libraries that tests load into programs: failing disks, clocks, ...
$(B)/lib/%.so: tests/shim/%.c $(B)/flags
	@mkdir -p $(@D); $(call say,SHIM,$@)
	$(Q)$(filter-out $(sanitizer),$(compile)) -MF $(@:.so=.d) -fPIC -shared $(LDFLAGS) -o $@ $<

# The network that a real cluster is given in tests: hosts in namespaces and what connects them.
$(B)/chaos/switch: $(call objs,$(wildcard tests/chaos/*.c))
	@mkdir -p $(@D); $(call say,LINK,$@)
	$(Q)$(link)

# From archives, so that a fuzzer gets what it calls and what that calls, wherever it lies. A replay runs the same code on
# files, and needs no fuzzer.
fuzz_sources := $(wildcard tests/fuzz/fuzz_*.c)
fuzz_helpers := $(filter-out $(fuzz_sources) tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c)) \
                $(addprefix tests/harness/,entries.c inside.c records.c samples.c tree.c)
fuzzers := $(patsubst tests/fuzz/%.c,$(B)/%,$(fuzz_sources))
replays := $(patsubst tests/fuzz/fuzz_%.c,$(B)/fuzz/replay_%,$(fuzz_sources))
.PHONY: fuzzers
fuzzers: $(fuzzers)
$(B)/fuzz_%: $(B)/obj/tests/fuzz/fuzz_%.o $(call objs,$(fuzz_helpers)) $(call lib,$(LIBS))
	@mkdir -p $(@D); $(call say,LINK,$@)
	$(Q)$(link) $(PKG_LIBS)
$(B)/fuzz/replay_%: $(B)/obj/tests/fuzz/fuzz_%.o $(call objs,tests/fuzz/replay.c $(fuzz_helpers)) $(call lib,$(LIBS))
	@mkdir -p $(@D); $(call say,LINK,$@)
	$(Q)$(link) $(PKG_LIBS)

$(B)/sim/sim: $(call objs,$(wildcard tests/sim/*.c) tests/harness/entries.c tests/harness/folding.c tests/harness/inside.c tests/harness/records.c) $(call lib,broker clients snapshot tasks bus io work core wire base)
	@mkdir -p $(@D); $(call say,LINK,$@)
	$(Q)$(link) $(PKG_LIBS)


# --- Checks and tests ---------------------------------------------------------------------------

.PHONY: many-values test check check-headers check-layers check-lengths check-bans check-packages check-docs check-statements protocol-tables check-format test-unit test-corpus test-harness test-cluster test-compose test-fuzz fuzz-corpus sim mutants chaos chaos-long failover chaos-mutants steady

test: deps ## deps, build, checks, unit tests, a minute of the simulator, tests on real clusters
	@+$(sub_make) all check
	@+$(sub_make) test-unit
	@+$(sub_make) test-corpus
	@+$(sub_make) test-harness
	@+$(sub_make) sim SEED_FROM=1
	@+$(sub_make) test-cluster

check: check-headers check-layers check-lengths check-bans check-packages check-docs check-statements ## the checks that only read

header_marks := $(headers:%=$(B)/headers/%.ok)
check-headers: $(header_marks) ## every header compiles alone
	@echo "headers: $(words $(header_marks)) compile alone"

$(B)/headers/%.ok: % $(B)/flags
	@mkdir -p $(@D); $(call say,HEADER,$<)
	$(Q)printf '#include "%s"\n' $< | $(compile) -fsyntax-only -MF $@.d -MT $@ -x c - && : >$@

check-layers: $(call lib,core) ## nodes/core knows nothing of sockets, disks, clocks, threads
	@$(PYTHON) tests/tools/check-source.py layers
	@$(PYTHON) tests/tools/check-source.py rooms
	@$(PYTHON) tests/tools/check-source.py rooms-tested
	@$(PYTHON) tests/tools/check-source.py rooms-fail
	@$(PYTHON) tests/tools/check-source.py state
	@$(PYTHON) tests/tools/check-source.py state-fail
	@$(PYTHON) tests/tools/check-source.py symbols $(call lib,core)

check-lengths: ## no file over 600 lines, no function over 70
	@$(PYTHON) tests/tools/check-source.py lengths

check-bans: ## no strcpy, sprintf, atoi, ...; no time, rand, sleep, printf in the cores
	@$(PYTHON) tests/tools/check-source.py bans

check-packages: ## every library that a test needs is among those that make test installs
	@$(PYTHON) tests/tools/check-source.py packages

$(B)/tools/protocol_tables: $(B)/obj/tests/tools/protocol_tables.o $(call lib,wire base)
	@mkdir -p $(@D); $(call say,LINK,$@)
	$(Q)$(link) $(PKG_LIBS)

check-docs: $(B)/tools/protocol_tables ## docs/protocol.md is as the schema has it
	@$(PYTHON) tests/tools/protocol_tables.py $<

check-statements: ## every statement that must be shown to hold is named in a test
	@$(PYTHON) tests/tools/check-statements.py

protocol-tables: $(B)/tools/protocol_tables ## bring the tables of docs/protocol.md up to date
	@$(PYTHON) tests/tools/protocol_tables.py $< --write

check-format: ## clang-format would change nothing
	@sh tests/tools/deps.sh format
	@bad=0; for f in $(headers) $(c_files); do \
	  $(CLANG_FORMAT) $$f | cmp -s - $$f || { echo "$$f: make format would change it" >&2; bad=1; }; \
	done; exit $$bad
	@echo "format: $(words $(headers) $(c_files)) files are as clang-format would have them"

test-unit: $(unit_tests) ## every tests/unit/test_*.c (UNIT=name for one)
	@sh tests/tools/run-unit.sh $(B) $(if $(UNIT),$(filter %/$(UNIT) %/test_$(UNIT),$(unit_tests)),$(unit_tests))

# All of them, so that none is found not to link when somebody wants to measure; but for those that want a package that tests do
# not (the group bench of tests/tools/deps.sh), where it is missing.
bench_programs := $(addprefix $(B)/bench/,commands commits gmp_factorial gmp_numbers history load router transform_wisdom \
                    $(if $(wildcard /usr/include/libgearman/gearman.h),gearman_jobs))

test-cluster: all shims $(B)/chaos/switch $(bench_programs) ## every tests/cluster/test_*.py, on real processes (PYTEST_ARGS=...)
	@CONCLAVE_BIN='$(abspath $(B))/bin' CONCLAVE_SANITIZE='$(SANITIZE)' \
	  sh tests/tools/run-cluster.sh $(B) '$(PYTHON)' $(PYTEST_ARGS)

chaos: all shims $(B)/chaos/switch ## a real cluster under every kind of fault, from a seed, and a verdict on all that its clients saw (SECONDS=60 SEED=n NODES=5)
	@mkdir -p $(B)/results $(B)/chaos
	@CONCLAVE_BIN='$(abspath $(B))/bin' CONCLAVE_SANITIZE='$(SANITIZE)' $(PYTHON) -B tests/chaos/chaos.py \
	  --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) --nodes $(NODES) --out $(B)/chaos/last --results $(B)/results/chaos

chaos-long: ## the same for MINUTES=30, with trends of memory, descriptors and disk
	@+$(MAKE) --no-print-directory chaos SECONDS=$$(( $(MINUTES) * 60 ))

wipes: all ## wipes of every minority of 3 and 5 voters, in every order, under load (SEED=n WIPES_ARGS='--voters 3')
	@mkdir -p $(B)/results
	@CONCLAVE_BIN='$(abspath $(B))/bin' CONCLAVE_SANITIZE='$(SANITIZE)' $(PYTHON) -B tests/chaos/wipes.py \
	  $(if $(SEED),--seed $(SEED)) --results $(B)/results/wipes $(WIPES_ARGS)

test-harness: ## the tests of the harness itself: the checker, and its clients against a double; no process of the product
	@mkdir -p $(B)/results
	@status=0; $(PYTHON) -B -m pytest -p no:cacheprovider -q --junitxml=$(B)/results/harness.xml tests/chaos </dev/null || status=$$?; \
	  $(PYTHON) tests/tools/junit.py sum $(B)/results/harness.xml >$(B)/results/harness; exit $$status

.PHONY: build-chaos
build-chaos: all shims $(B)/chaos/switch

chaos-mutants: ## does chaos see? known bugs planted in real programs, one at a time (MUTANT="this that", CHAOS_MUTANTS_ARGS)
	@+$(sub_make) MUTANTS=1 build-chaos
	@$(PYTHON) -B tests/tools/chaos-mutants.py $(CHAOS_MUTANTS_ARGS) $(MUTANT)

failover: build-chaos ## time without service after the leader is killed, stopped or cut off, beside etcd (root; FAILOVER_ARGS='--faults 200')
	@CONCLAVE_BIN='$(abspath $(B))/bin' $(PYTHON) -B tests/bench/failover.py --dir $(B) $(FAILOVER_ARGS)

steady: all ## the highest load and no fault: nobody is suspected, no loop stands still (STEADY_ARGS='--runs 10')
	@CONCLAVE_BIN='$(abspath $(B))/bin' $(PYTHON) -B tests/chaos/steady.py $(STEADY_ARGS)

many-values: all ## VALUES=20000 large results while followers are stopped at random
	@CONCLAVE_BIN='$(abspath $(B))/bin' CONCLAVE_MANY_VALUES='$(or $(VALUES),20000)' \
	  sh tests/tools/run-cluster.sh $(B) '$(PYTHON)' -s -k twenty_thousand tests/cluster/test_values.py

.PHONY: map-kills
map-kills: all ## `conclave map` of 2,000 tasks while its coordinator is killed three times, a worker ten times, and all nodes once
	@CONCLAVE_BIN='$(abspath $(B))/bin' CONCLAVE_MAP_KILLS=1 sh tests/tools/run-cluster.sh $(B) '$(PYTHON)' -s tests/cluster/test_map_kills.py

.PHONY: limits
limits: all ## every limit under more load than the tests have: connections, floods, clients that never read, full states
	@CONCLAVE_BIN='$(abspath $(B))/bin' CONCLAVE_LIMITS=full \
	  sh tests/tools/run-cluster.sh $(B) '$(PYTHON)' -s tests/cluster/test_limits.py tests/cluster/test_bounds.py $(PYTEST_ARGS)

test-compose: ## the compose file, for real, on a docker engine (root)
	@bash tests/compose/run.sh $(B)

sim: $(B)/sim/sim ## whole clusters in a simulated world, from seeds (SEED=n, SEEDS=n, SIM_SECONDS=60)
	@mkdir -p $(B)/results
	@$(B)/sim/sim $(if $(SEED),--seed $(SEED),$(if $(SEEDS),--seeds $(SEEDS),--seconds $(SIM_SECONDS)) \
	  $(if $(SEED_FROM),--from $(SEED_FROM)) --results $(B)/results/sim) \
	  $(if $(SIM_JOBS),--jobs $(SIM_JOBS)) $(if $(MUTANT),--mutant $(MUTANT))

.PHONY: process-mutants
# The unit tests that its table names.
mutant_units := $(addprefix $(B)/unit/,$(sort $(shell sed -n 's/.*"\(test_[a-z_]*\)".*/\1/p' tests/tools/process-mutants.py 2>/dev/null)))

process-mutants: ## known bugs outside of the simulator's world: the test that finds each must fail
	@sh tests/tools/deps.sh build test
	@+$(sub_make) MUTANTS=1 build-process-mutants
	@mkdir -p build/mutants/results
	@$(PYTHON) -B tests/tools/process-mutants.py --results build/mutants/results/process-mutants

.PHONY: build-process-mutants
build-process-mutants: all $(mutant_units) $(B)/bench/load

mutants: ## the simulator must catch every bug that is planted
	@+$(sub_make) MUTANTS=1 build/mutants/sim/sim
	@mkdir -p build/mutants/results
	@build/mutants/sim/sim --mutants --results build/mutants/results/mutants $(if $(SIM_JOBS),--jobs $(SIM_JOBS))

.PHONY: mutant-seeds
mutant-seeds: ## how many seeds it takes to catch MUTANT="this that" (every one), from several starts, and their median
	@+$(sub_make) MUTANTS=1 build/mutants/sim/sim
	@$(PYTHON) -B tests/tools/mutant-seeds.py $(MUTANT)

fuzz_flags = CC='$(CLANG)' CFLAGS='-g -O1' SANITIZE=fuzzer,address,undefined B=build/fuzz
test-fuzz: ## throws bytes at decoders, loaders, parsers and whole nodes for FUZZ_SECONDS=60, with clang's fuzzer (FUZZ='step load' FUZZ_SEED=n)
	@sh tests/tools/deps.sh build fuzz
	@+$(sub_make) $(fuzz_flags) $(if $(FUZZ),$(FUZZ:%=build/fuzz/fuzz_%),fuzzers)
	@FUZZ_SEED=$(FUZZ_SEED) sh tests/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ)

fuzz-corpus: ## takes what test-fuzz has learned over into tests/fuzz/corpus (FUZZ='step load')
	@+$(sub_make) $(fuzz_flags) $(if $(FUZZ),$(FUZZ:%=build/fuzz/fuzz_%),fuzzers)
	@sh tests/fuzz/merge.sh $(FUZZ)

.PHONY: fuzz-mutants
fuzz-mutants: ## do the fuzzers see? known bugs, one at a time, and after how many seconds each is found (MUTANT="this that", FUZZ_SECONDS each)
	@+$(sub_make) $(fuzz_flags) B=build/fuzz-mutants MUTANTS=1 $(addprefix build/fuzz-mutants/fuzz_,details peers broker rights)
	@FUZZ_SEED=$(FUZZ_SEED) sh tests/fuzz/mutants.sh $(FUZZ_SECONDS) $(MUTANT)

test-corpus: $(replays) ## the fuzzers' code on every input of tests/fuzz/corpus, without a fuzzer
	@sh tests/fuzz/replay.sh $(B) $(replays)

# --- Measuring -----------------------------------------------------------------------------------

$(B)/bench/commits: $(B)/obj/tests/bench/commits.o $(call lib,base)
	@mkdir -p $(@D); $(call say,LINK,$@)
	$(Q)$(link) $(PKG_LIBS)

$(B)/bench/history: $(B)/obj/tests/bench/history.o $(call lib,tasks core wire base)
	@mkdir -p $(@D); $(call say,LINK,$@)
	$(Q)$(link) $(alloc_conclave-node) $(PKG_LIBS)

$(B)/bench/load: $(B)/obj/tests/bench/load.o $(call lib,clients snapshot tasks core bus wire base)
	@mkdir -p $(@D); $(call say,LINK,$@)
	$(Q)$(link) $(PKG_LIBS)

$(B)/bench/gearman_jobs: $(B)/obj/tests/bench/gearman_jobs.o $(call lib,base)
	@mkdir -p $(@D); $(call say,LINK,$@)
	$(Q)$(link) -lgearman $(PKG_LIBS)

$(B)/bench/router: $(B)/obj/tests/bench/router.o $(call lib,base)
	@mkdir -p $(@D); $(call say,LINK,$@)
	$(Q)$(link) $(PKG_LIBS)

# Where figures go: into one file, each measurement's beside the others'.
json := $(if $(JSON),--json '$(abspath $(JSON))')

.PHONY: bench
bench: bench-deps ## everything that is compared: durability (BENCH_ARGS=...), snapshots (BENCH_SNAPSHOT_ARGS=...), keys, gearmand, GMP, FLINT, ROUTER, 3 to 25 nodes, growth, etcd (BENCH_FAULTS=30; root), into JSON=FILE and plots beside it
	@+$(sub_make) all $(B)/bench/commits $(B)/bench/load
	@CONCLAVE_BIN='$(abspath $(B))/bin' $(PYTHON) tests/bench/bench.py --dir $(B) --commits $(B)/bench/commits $(json) $(BENCH_ARGS)
	@CONCLAVE_BIN='$(abspath $(B))/bin' $(PYTHON) tests/bench/snapshots.py --dir $(B) $(json) $(BENCH_SNAPSHOT_ARGS)
	@+$(sub_make) bench-keys
	@+$(sub_make) bench-others
	@+$(sub_make) bench-width
	@+$(sub_make) bench-growth
	-@+$(sub_make) failover FAILOVER_ARGS="$(json) --faults $(or $(BENCH_FAULTS),30)"
	$(if $(JSON),@$(PYTHON) -B tests/bench/plots.py '$(JSON)' '$(dir $(JSON))')

.PHONY: bench-deps
bench-deps: # what is measured beside Conclave, and gnuplot: for who builds and tests these are not needed
	@sh tests/tools/deps.sh build bench

.PHONY: bench-others
bench-others: bench-deps ## small jobs beside gearmand (Debian's) and a bare ROUTER, a factorial and a product beside GMP and FLINT in one process, in turn (OTHERS_ARGS='--rounds 5', JSON=FILE)
	@+$(sub_make) all $(addprefix $(B)/bench/,load commits gearman_jobs router gmp_numbers)
	@CONCLAVE_BIN='$(abspath $(B))/bin' $(PYTHON) -B tests/bench/others.py --dir $(B) $(json) $(OTHERS_ARGS)

.PHONY: bench-plots
bench-plots: bench-deps ## SVG of the figures in JSON=FILE, into PLOTS=DIR (docs/plots)
	@$(PYTHON) -B tests/bench/plots.py '$(JSON)' '$(or $(PLOTS),docs/plots)'

.PHONY: bench-keys
bench-keys: all $(B)/bench/load ## what keys cost: jobs/s, operations/s, transfers/s and failover beside --insecure (BENCH_KEYS_ARGS='--nodes 3 6')
	@CONCLAVE_BIN='$(abspath $(B))/bin' $(PYTHON) -B tests/bench/keys.py --dir $(B) $(json) $(BENCH_KEYS_ARGS)

.PHONY: bench-idle
bench-idle: all ## the processor time of nodes that have nothing to do, beside a formula, and of their start, by size (IDLE_ARGS='--nodes 6 25 --seconds 30')
	@CONCLAVE_BIN='$(abspath $(B))/bin' $(PYTHON) -B tests/bench/idle.py --dir $(B) $(json) $(IDLE_ARGS)

.PHONY: bench-width
bench-width: all $(B)/bench/load ## by size: how long the start takes, jobs/s, what an idle node costs, failover (WIDTH_ARGS='--nodes 3 25')
	@CONCLAVE_BIN='$(abspath $(B))/bin' $(PYTHON) -B tests/bench/width.py --dir $(B) $(json) $(WIDTH_ARGS)

.PHONY: bench-growth
bench-growth: all $(addprefix $(B)/bench/,load gmp_factorial) ## jobs/s with 1,000 to 100,000 jobs remembered, factorials from 100000! to 10000000! beside GMP (GROWTH_ARGS='--factorials 100000000 --remembered')
	@CONCLAVE_BIN='$(abspath $(B))/bin' $(PYTHON) -B tests/bench/growth.py --gmp '$(abspath $(B))/bench/gmp_factorial' --dir $(B) $(json) $(GROWTH_ARGS)

.PHONY: bench-history
bench-history: all $(B)/bench/history $(B)/bench/load ## does anything get slower as jobs pile up? (HISTORY_ARGS='--marks 20000 100000', HISTORY_KEPT='1000 10000 100000')
	@$(B)/bench/history $(or $(HISTORY_KEPT),1000 10000 100000)
	@CONCLAVE_BIN='$(abspath $(B))/bin' $(PYTHON) -B tests/bench/history.py --dir $(B) $(HISTORY_ARGS)

$(B)/bench/gmp_factorial: $(B)/obj/tests/bench/gmp_factorial.o $(call lib,base)
	@mkdir -p $(@D); $(call say,LINK,$@)
	$(Q)$(link) $(PKG_LIBS)

$(B)/bench/gmp_numbers: $(B)/obj/tests/bench/gmp_numbers.o $(call lib,base)
	@mkdir -p $(@D); $(call say,LINK,$@)
	$(Q)$(link) $(PKG_LIBS)

.PHONY: bench-numbers
bench-numbers: $(B)/bench/gmp_numbers ## products, batch-gcd and pi in one process by GMP alone (NUMBERS='product:1000000 batch-gcd:20000 pi:1000000')
	@for job in $(or $(NUMBERS),product:1000000 batch-gcd:20000 pi:1000000); do \
	  printf '%-20s %s s\n' "$$job" "$$($(B)/bench/gmp_numbers $${job%:*} $${job#*:})" || exit 1; done

$(B)/obj/nodes/work/integer_transform.o: nodes/work/transform.wisdom

$(B)/bench/transform_wisdom: $(B)/obj/tests/bench/transform_wisdom.o $(call lib,work base)
	@mkdir -p $(@D); $(call say,LINK,$@)
	$(Q)$(link) $(PKG_LIBS)

.PHONY: transform-wisdom
transform-wisdom: $(B)/bench/transform_wisdom ## measures FFTW's transforms on this machine, for nodes/work/transform.wisdom: five minutes, with nothing else running
	$(B)/bench/transform_wisdom >$(B)/transform.wisdom
	mv $(B)/transform.wisdom nodes/work/transform.wisdom

.PHONY: bench-jobs
bench-jobs: all $(B)/bench/gmp_numbers ## a product of 1,000,000 integers and batch-gcd beside GMP in one process, in turn (JOBS_ARGS='--jobs batch-gcd:300000 --memory-limit 256M --rounds 1 --no-gmp', '--json')
	@CONCLAVE_BIN='$(abspath $(B))/bin' $(PYTHON) -B tests/bench/jobs.py --gmp '$(abspath $(B))/bench/gmp_numbers' --dir $(B) $(JOBS_ARGS)

$(B)/bench/commands: $(B)/obj/tests/bench/commands.o $(call lib,work tasks base)
	@mkdir -p $(@D); $(call say,LINK,$@)
	$(Q)$(link) $(alloc_conclave-node) $(PKG_LIBS)

.PHONY: bench-commands
bench-commands: $(B)/bench/commands ## 10,000 times /bin/true by the executor of commands, beside xargs, in turn (COMMANDS_ARGS='--n 1000 --slots 4')
	@$(PYTHON) -B tests/bench/commands.py --bench '$(abspath $(B))/bench/commands' $(COMMANDS_ARGS)

.PHONY: bench-map
bench-map: all ## 10,000 times /bin/true by `conclave map`, beside xargs and GNU parallel (Debian's, when it is there), in turn; a million empty tasks (MAP_ARGS='--commands 1000 --rounds 1')
	@CONCLAVE_BIN='$(abspath $(B))/bin' $(PYTHON) -B tests/bench/map.py --dir $(B) $(MAP_ARGS)

.PHONY: bench-large
bench-large: all $(B)/bench/gmp_factorial ## 10000000! ten times beside GMP in one process (LARGE_ARGS='--job 30000000 --runs 1', '--busy 2', '--kill', '--nodes 25')
	@CONCLAVE_BIN='$(abspath $(B))/bin' $(PYTHON) -B tests/bench/large.py --gmp '$(abspath $(B))/bench/gmp_factorial' --dir $(B) $(LARGE_ARGS)

.PHONY: compare
compare: all $(B)/bench/load ## BEFORE=DIR: operations/s, jobs/s and idle processor time beside another build's programs, in turn
	@CONCLAVE_BIN='$(abspath $(B))/bin' CONCLAVE_BENCH='$(abspath $(B))/bench' $(PYTHON) -B tests/bench/compare.py '$(BEFORE)' --dir $(B) $(BENCH_ARGS)

# --- The demonstration --------------------------------------------------------------------------

.PHONY: deps demo
deps: ## install what building and testing needs, or name what is missing
	@sh tests/tools/deps.sh build test

demo: ## six nodes compute 10!; then their coordinator is killed in mid-job
	@sh tests/tools/deps.sh build
	@+$(sub_make) all
	@CONCLAVE_BIN='$(abspath $(B))/bin' bash tests/tools/demo.sh

# --- Install ------------------------------------------------------------------------------------

# From what --help says: there is one text.
man_pages := $(if $(programs),$(B)/man/conclave.1 $(B)/man/conclave-node.8 $(B)/man/conclave-broker.8)
define man_section
$(B)/man/%.$(1): $(B)/bin/% tests/tools/man-page.sh
	@mkdir -p $$(@D); $$(call say,MAN,$$@)
	$$(Q)sh tests/tools/man-page.sh $$< $(1) >$$@
endef
$(foreach s,1 8,$(eval $(call man_section,$(s))))

# Completions, units, packages. An image is built without them.
-include packaging/package.mk

# from:to:mode, read by install and uninstall alike; the library's are installed alone by install-lib.
INSTALLED_LIB := $(library_shared):$(libdir)/$(notdir $(library_shared)):644 \
                 $(library_static):$(libdir)/libconclave.a:644 \
                 clients/library/conclave.h:$(includedir)/conclave.h:644 \
                 $(B)/lib/conclave.pc:$(libdir)/pkgconfig/conclave.pc:644 \
                 clients/library/conclave.3:$(mandir)/man3/conclave.3:644
INSTALLED := $(foreach p,$(PROGRAMS),$(B)/bin/$(p):$(bindir)/$(p):755) \
             $(foreach m,$(man_pages),$(m):$(mandir)/man$(subst .,,$(suffix $(m)))/$(notdir $(m)):644) \
             $(INSTALLED_LIB) \
             $(foreach d,$(wildcard README.md CHANGELOG.md LICENSE SECURITY.md),$(d):$(docdir)/$(d):644) $(PACKAGED)
field = $(word $(2),$(subst :, ,$(1)))

# The Python client (clients/python): pure Python, also for who installs by hand: make wheel, then pip install the file.
.PHONY: wheel
wheel: ## the Python client as a wheel, into build/VARIANT/python
	@sh tests/tools/deps.sh python
	$(Q)rm -rf $(B)/python && mkdir -p $(B)/python/tree
	$(Q)cp -r clients/python/pyproject.toml clients/python/README.md clients/python/src $(B)/python/tree
	$(Q)sed -i 's/^version = .*/version = "$(library_version)"/' $(B)/python/tree/pyproject.toml
	$(Q)rm -rf $(B)/python/tree/src/*/__pycache__ && cd $(B)/python/tree && $(PYTHON) -m build --wheel --no-isolation --outdir .. . >../build.log 2>&1 || { cat ../build.log >&2; exit 1; }
	@ls $(B)/python/*.whl

.PHONY: man install install-lib uninstall
man: $(man_pages) ## the manual pages, into build/VARIANT/man

library_links := $(library_soname) libconclave.so
put  = $(foreach i,$(1),$(Q)$(INSTALL) -D -m $(call field,$(i),3) $(call field,$(i),1) '$(DESTDIR)$(call field,$(i),2)'$(newline))
tie  = $(foreach l,$(library_links),$(Q)ln -sf $(notdir $(library_shared)) '$(DESTDIR)$(libdir)/$(l)'$(newline))
install: all man ## into $(DESTDIR)$(prefix)
	$(call put,$(INSTALLED))
	$(tie)

install-lib: lib ## libconclave alone, with its header, pkg-config file and manual page
	$(call put,$(INSTALLED_LIB))
	$(tie)

uninstall: ## what install put there
	$(foreach i,$(INSTALLED),$(Q)rm -f '$(DESTDIR)$(call field,$(i),2)'$(newline))
	$(foreach l,$(library_links),$(Q)rm -f '$(DESTDIR)$(libdir)/$(l)'$(newline))
	$(Q)rmdir '$(DESTDIR)$(docdir)/docs' '$(DESTDIR)$(docdir)' 2>/dev/null || true

define newline


endef

# --- The rest -----------------------------------------------------------------------------------

.PHONY: format clean help
format: ## clang-format -i
	@sh tests/tools/deps.sh format
	@$(if $(headers)$(c_files),$(CLANG_FORMAT) -i $(headers) $(c_files))

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile packaging/package.mk | awk -F'|' -f tests/tools/wrap.awk

-include $(patsubst %.o,%.d,$(call objs,$(c_files)) $(made_clients)) $(shims:.so=.d) $(header_marks:%=%.d)
