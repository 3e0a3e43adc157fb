# Completions and what a system needs that runs nodes and brokers: installed by `make install`, too. Packages, tarball.

sysconfdir     ?= $(if $(filter /usr,$(prefix)),/etc,$(prefix)/etc)
bashdir        ?= $(prefix)/share/bash-completion/completions
zshdir         ?= $(prefix)/share/zsh/$(if $(filter /usr,$(prefix)),vendor-completions,site-functions)
fishdir        ?= $(prefix)/share/fish/vendor_completions.d
unitdir        ?= $(prefix)/lib/systemd/system
sysusersdir    ?= $(prefix)/lib/sysusers.d
tmpfilesdir    ?= $(prefix)/lib/tmpfiles.d

# The one place where the version is said.
version := $(shell sed -n 's/^.define CONCLAVE_VERSION "\(.*\)"/\1/p' shared/base/version.h)

with_completion := conclave conclave-node conclave-broker
completions := $(foreach p,$(with_completion),$(foreach s,bash zsh fish,$(B)/completion/$(p).$(s)))
$(B)/completion/conclave.%: $(B)/bin/conclave
	@mkdir -p $(@D); $(call say,SHELL,$@)
	$(Q)$< completion $* >$@
$(B)/completion/conclave-node.%: $(B)/bin/conclave-node
	@mkdir -p $(@D); $(call say,SHELL,$@)
	$(Q)$< --completion $* >$@
$(B)/completion/conclave-broker.%: $(B)/bin/conclave-broker
	@mkdir -p $(@D); $(call say,SHELL,$@)
	$(Q)$< --completion $* >$@

# Units name where the programs are; hardening is what all have in common.
units := $(patsubst packaging/systemd/%.in,$(B)/systemd/%,$(wildcard packaging/systemd/*.in))
$(B)/systemd/%.service: packaging/systemd/%.service.in packaging/systemd/hardening
	@mkdir -p $(@D); $(call say,UNIT,$@)
	$(Q)sed -e 's,@bindir@,$(bindir),' -e '/^@hardening@$$/{r packaging/systemd/hardening' -e 'd;}' $< >$@

PACKAGED := $(foreach p,$(with_completion),$(B)/completion/$(p).bash:$(bashdir)/$(p):644 \
                $(B)/completion/$(p).zsh:$(zshdir)/_$(p):644 \
                $(B)/completion/$(p).fish:$(fishdir)/$(p).fish:644) \
            $(foreach u,$(units),$(u):$(unitdir)/$(notdir $(u)):644) \
            $(foreach d,$(wildcard docs/*.md),$(d):$(docdir)/$(d):644) \
            packaging/conclave.sysusers:$(sysusersdir)/conclave.conf:644 \
            packaging/conclave.tmpfiles:$(tmpfilesdir)/conclave.conf:644 \
            packaging/conclave.logrotate:$(sysconfdir)/logrotate.d/conclave:644 \
            packaging/conclave.default:$(sysconfdir)/default/conclave:644

install: $(completions) $(units)

.PHONY: deb dist test-deb force-units
$(units): force-units
force-units:

dist: ## conclave-VERSION.tar.gz of what is committed, into build/dist
	@mkdir -p build/dist
	@git archive --prefix=conclave-$(version)/ HEAD | gzip -9n >build/dist/conclave-$(version).tar.gz
	@echo build/dist/conclave-$(version).tar.gz

deb: ## packages for this Debian release, into build/deb
	@sh tests/tools/deps.sh build deb
	@bash packaging/debian/build.sh $(version) build/deb

test-deb: deb ## the packages on a bare Debian: installed, used, replaced by a newer one, purged (root)
	@bash tests/packaging/run.sh $(B)
