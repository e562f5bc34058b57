# The targets that people and CI use. Each is a plain command that can be run by hand too.

GO ?= go
# golangci-lint is a tool, not a dependency: it is built by the Go that is here.
LINT = $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
ACTIONLINT = $(GO) run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

.PHONY: build images test race sim lint bench bench-check agree bugs soak clean

build: ## the binary, in bin/; static, so that it can go into containers as it is
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/ ./cmd/sunder

images: ## images of etcd, Consul and sunder itself, built from source; what is there is not built again
	$(GO) run ./cmd/sunder images build etcd consul raft
	$(GO) run ./cmd/sunder build etcd@v3.6.15 # which tests restart members as

test: ## everything that CI demands, one package at a time, as clusters of two would starve each other: all tests with the race detector, and the simulation in full
	$(GO) vet ./...
	$(GO) build -race ./...
	$(GO) test -race -p 1 -timeout 30m ./...
	$(GO) test -timeout 20m ./targets/raft/sim
	$(GO) -C docs/examples/hashicorp-raft test ./...
	$(GO) -C docs/examples/etcd-raft test ./...
	$(GO) -C docs/examples/own-command test ./...

race: test

sim: ## the Raft's simulation, over many more seeds than in test
	$(GO) test ./targets/raft/sim -sim.seeds 20000 -timeout 60m

lint: ## format and lint, and the workflows too
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo 'these files are not gofmt-ed'; exit 1; }
	$(LINT) run
	$(ACTIONLINT)

bench: ## benchmarks of what must be fast
	$(GO) test -run '^$$' -bench . -benchmem ./harness/history ./checkers ./reports/page

bench-check: ## deciding linearizability, beside porcupine, the least of three rounds each; and from file to verdict
	$(GO) test -run '^$$' -bench . -benchtime 3x -timeout 60m ./checkers/register
	$(GO) test -run '^$$' -bench 'FileToVerdict|Leader' ./checkers
	$(GO) test -run '^$$' -bench 'Decode|Encode|Memory' ./harness/history

agree: ## the engines against trying all orders and against porcupine, over millions of histories; SEED=n for others
	$(GO) test -run Agrees -agree.small 2000000 -agree.medium 200000 -agree.seed $(or $(SEED),0) -v -timeout 60m ./checkers/register

bugs: ## every planted bug that has a run made to find it must be found, within a minute of load each; SEEDS=5 for more runs
	$(GO) test ./cmd/cli -run TestEveryBug -bugs.seeds $(or $(SEEDS),1) -v -timeout 3h

soak: ## the right Raft must be found right: 20 runs of 20 s with different seeds
	$(GO) test ./cmd/cli -run TestSoak -soak.runs $(or $(RUNS),20) -v -timeout 3h

clean: ## what builds and runs leave
	rm -rf bin runs
