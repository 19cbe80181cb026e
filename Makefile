# What a developer runs. .ci/run runs the same steps on a fresh machine, and installs what they need.

GO            ?= go
GOBIN         := $(shell $(GO) env GOPATH)/bin
GOLANGCI_LINT := $(GOBIN)/golangci-lint
VERSITYGW     := $(GOBIN)/versitygw
# Kept in step with .ci/run; versitygw also with e2e/conformance.
GOLANGCI_LINT_VERSION := v2.15.0
VERSITYGW_VERSION     := v1.8.0
FUZZTIME      ?= 20000x

.PHONY: build check fmt lint test race fuzz e2e conformance minio-go big bench

build: ## dist/plimsoll
	$(GO) build -trimpath -o dist/plimsoll ./cmd/plimsoll

check: lint test ## what must be clean before a change lands

lint: $(GOLANGCI_LINT)
	$(GOLANGCI_LINT) fmt --diff
	$(GO) vet ./...
	$(GOLANGCI_LINT) run ./...
	$(GO) mod tidy -diff

fmt: $(GOLANGCI_LINT)
	$(GOLANGCI_LINT) fmt

test:
	$(GO) test ./...

race:
	$(GO) test -race ./...

fuzz: ## every fuzz target for FUZZTIME inputs
	FUZZTIME=$(FUZZTIME) GO=$(GO) .ci/fuzz

e2e: ## the real binary and every client; none may be missing
	PLIMSOLL_REQUIRE_CLIENTS=1 $(GO) test -count=1 ./e2e/...

conformance: $(VERSITYGW) ## a public S3 test suite; what it may fail stands in e2e/conformance/expected-failures
	$(GO) run ./e2e/conformance

minio-go: ## the functional tests of MinIO's client, which this downloads; see e2e/conformance/miniogo
	$(GO) run ./e2e/conformance --suite minio-go --parallel 4

big: ## 5 GiB in and out with the server's memory watched; needs 11 GiB of disk
	PLIMSOLL_BIG=1 $(GO) test -count=1 -timeout 30m -v -run TestMemory ./e2e

bench:
	$(GO) test -run '^$$' -bench . -benchmem ./...

# It takes minutes to compile, so it is built once and not with "go tool", which would also put its 300 modules into
# go.mod. It contains gofumpt.
$(GOLANGCI_LINT):
	$(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

$(VERSITYGW):
	$(GO) install github.com/versity/versitygw/cmd/versitygw@$(VERSITYGW_VERSION)
