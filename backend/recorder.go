package backend

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/plimsoll/plimsoll/backend/history"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// RecordHistory is the kind of the records of usage over time: one for each scope, as package history marshals it. Its
// name is a letter and the scope's: s for the server, o for an owner, b for a bucket.
const RecordHistory meta.RecordKind = "history"

const (
	// recordDelay is how long after its start a store first records its usage, and how often it looks whether another hour
	// has begun since.
	recordDelay = time.Minute
	// maxHistories is how many scopes have a history: as a rule 80 MB of metadata, at the most. Those that were there first
	// keep theirs; of others those that hold the most get one.
	maxHistories = 20_000
	// historyPage is how many histories are read, and at most written, at once.
	historyPage = 64
)

// recorder keeps the usage of all scopes over time. Of their histories it has nothing in memory but what they tell of
// growth.
type recorder struct {
	most int // maxHistories; tests change it

	pass sync.Mutex // held while usage is recorded

	mu     sync.RWMutex                  // guards trends and gone
	trends map[quota.Scope]history.Trend // as of the last pass
	// gone are scopes that are no more and may have a record until the next pass: it is not that of a scope that has got
	// their name since.
	gone map[quota.Scope]bool
}

func newRecorder() *recorder {
	return &recorder{
		most: maxHistories, trends: make(map[quota.Scope]history.Trend), gone: make(map[quota.Scope]bool),
	}
}

// removed tells that scopes are no more.
func (r *recorder) removed(scopes []quota.Scope) {
	if len(scopes) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, scope := range scopes {
		if scope.Kind == quota.Prefix {
			continue // it had no history
		}
		delete(r.trends, scope)
		r.gone[scope] = true
	}
}

func (r *recorder) isGone(scope quota.Scope) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.gone[scope]
}

// keepHistory records usage once in an hour.
func (s *Store) keepHistory(ctx context.Context) {
	if err := s.passHistory(ctx, false); err != nil && ctx.Err() == nil {
		s.log.Error("read the history of usage", "error", err)
	}
	tick := time.NewTicker(recordDelay)
	defer tick.Stop()
	var recorded time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		hour := s.now().Truncate(time.Hour)
		if hour.Equal(recorded) {
			continue
		}
		switch err := s.RecordUsage(ctx); {
		case err == nil:
			recorded = hour
		case ctx.Err() == nil && !errors.Is(err, ErrClosed):
			s.log.Error("record the history of usage", "error", err)
		}
	}
}

// RecordUsage writes down what every scope holds now, where this hour has no point yet. The store does so by itself, once
// in an hour.
func (s *Store) RecordUsage(ctx context.Context) error { return s.passHistory(ctx, true) }

// historyPass goes once through all histories.
type historyPass struct {
	store    *Store
	now      time.Time
	write    bool // else it only looks at the growth
	accounts map[quota.Scope]quota.Account
	since    map[quota.Scope]int64 // when the buckets were made
	clock    history.Series
	trends   map[quota.Scope]history.Trend
	puts     []meta.PutRecord
	gone     map[quota.Scope]bool // as they were when the pass began
	count    int                  // histories that there are
}

func (s *Store) passHistory(ctx context.Context, write bool) error {
	r := s.recorder
	r.pass.Lock()
	defer r.pass.Unlock()
	p := &historyPass{
		store: s, now: s.timestamp(), write: write, trends: make(map[quota.Scope]history.Trend),
		accounts: make(map[quota.Scope]quota.Account),
	}
	r.mu.Lock()
	p.gone = maps.Clone(r.gone)
	r.mu.Unlock()
	for _, a := range s.ledger.snapshot() {
		if a.Scope.Kind != quota.Prefix { // they have no histories
			p.accounts[a.Scope] = a
		}
	}
	p.since = s.buckets.created()
	if err := p.run(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for scope := range r.gone {
		switch {
		case !p.gone[scope]: // removed while the pass was under way
			delete(p.trends, scope)
		case write:
			delete(r.gone, scope)
		}
	}
	r.trends = p.trends
	return nil
}

// run goes through the histories that there are, and begins those that there are not.
func (p *historyPass) run(ctx context.Context) error {
	if err := p.tick(ctx); err != nil {
		return err
	}
	after := ""
	for {
		started := time.Now()
		records, err := p.store.meta.Records(ctx, RecordHistory, after, historyPage)
		if err != nil {
			return err
		}
		for _, record := range records {
			p.known(record)
		}
		if err := p.flush(); err != nil {
			return err
		}
		if len(records) < historyPage {
			break
		}
		after = records[len(records)-1].Name
		if err := rest(ctx, time.Since(started)); err != nil {
			return err
		}
	}
	if !p.write {
		return nil
	}
	return p.begin(ctx)
}

// tick records the server's usage first, which is the clock for all others.
func (p *historyPass) tick(ctx context.Context) error {
	name := historyName(quota.ServerScope)
	raw, err := p.store.meta.Record(ctx, RecordHistory, name)
	if err != nil && !errors.Is(err, meta.ErrNoSuchRecord) {
		return err
	}
	p.clock = p.read(name, raw)
	if !p.write {
		return nil
	}
	if p.clock.Record(p.point(p.accounts[quota.ServerScope]), true) {
		p.put(name, p.clock.Marshal())
	}
	return p.flush()
}

// known takes the history of a scope on, or removes it where the scope is no more.
func (p *historyPass) known(record meta.Record) {
	scope, ok := parseHistoryName(record.Name)
	account, exists := p.accounts[scope]
	switch {
	case (!ok || !exists) && p.write:
		p.put(record.Name, nil)
		return
	case !ok:
		return
	case !exists: // the store was closed before the record was removed
		p.store.recorder.removed([]quota.Scope{scope})
		return
	}
	delete(p.accounts, scope) // what is left has none yet
	p.count++
	series := p.read(record.Name, record.Value)
	if p.gone[scope] || series.Since != p.since[scope] {
		series = history.Series{Since: p.since[scope]}
	}
	p.take(scope, account, series)
}

// take adds a point to a series, and keeps what it tells.
func (p *historyPass) take(scope quota.Scope, account quota.Account, series history.Series) {
	if p.write && scope != quota.ServerScope && series.Record(p.point(account), false) {
		p.put(historyName(scope), series.Marshal())
	}
	p.trends[scope] = series.Fill(p.clock).Trend(p.now)
}

// begin begins the histories of the scopes that have none, as many as there may be.
func (p *historyPass) begin(ctx context.Context) error {
	missing := slices.SortedFunc(maps.Values(p.accounts), func(a, b quota.Account) int {
		return cmp.Or(cmp.Compare(b.Usage.Bytes, a.Usage.Bytes), quota.CompareScopes(a.Scope, b.Scope))
	})
	missing = missing[:min(len(missing), max(0, p.store.recorder.most-p.count))]
	for batch := range slices.Chunk(missing, historyPage) {
		started := time.Now()
		for _, account := range batch {
			p.take(account.Scope, account, history.Series{Since: p.since[account.Scope]})
		}
		if err := p.flush(); err != nil {
			return err
		}
		if len(batch) == historyPage {
			if err := rest(ctx, time.Since(started)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *historyPass) put(name string, value []byte) {
	p.puts = append(p.puts, meta.PutRecord{Kind: RecordHistory, Name: name, Value: value})
}

// flush writes what has changed, in one transaction.
func (p *historyPass) flush() error {
	if len(p.puts) == 0 {
		return nil
	}
	_, err := p.store.commit(&proposal{mutation: meta.PutRecords{Records: p.puts}})
	p.puts = nil
	return err
}

// read reads a series. One that cannot be read, since a newer version wrote it, begins anew.
func (p *historyPass) read(name string, raw []byte) history.Series {
	if raw == nil {
		return history.Series{}
	}
	series, err := history.Unmarshal(raw)
	if err != nil {
		p.store.log.Warn("a history of usage begins anew", "scope", name, "error", err)
	}
	return series
}

func (p *historyPass) point(a quota.Account) history.Point {
	return history.Point{Time: p.now, Bytes: limitedBytes(a), Objects: a.Usage.Objects}
}

// limitedBytes is what an account's limit is compared with: on the server, unfinished parts count in full.
func limitedBytes(a quota.Account) int64 {
	if a.Scope.Kind == quota.Server {
		return a.Usage.Bytes + a.Usage.PartBytes
	}
	return a.Usage.Bytes
}

// History returns what a scope held over time, and how it grows. Bytes are what its limit is compared with: those of the
// server have the parts of unfinished uploads in them. A scope that is not there, or too young, has an empty one.
func (s *Store) History(ctx context.Context, scope quota.Scope) (history.Series, history.Trend, error) {
	read := func(scope quota.Scope) (history.Series, error) {
		raw, err := s.meta.Record(ctx, RecordHistory, historyName(scope))
		if errors.Is(err, meta.ErrNoSuchRecord) {
			return history.Series{}, nil
		}
		if err != nil {
			return history.Series{}, err
		}
		series, err := history.Unmarshal(raw)
		if err != nil {
			return history.Series{}, nil //nolint:nilerr // the next pass says so, and begins it anew
		}
		return series, nil
	}
	clock, err := read(quota.ServerScope)
	if err != nil {
		return history.Series{}, history.Trend{}, err
	}
	series, err := read(scope)
	if err != nil {
		return history.Series{}, history.Trend{}, err
	}
	if s.recorder.isGone(scope) || series.Since != s.buckets.createdOf(scope) {
		series = history.Series{}
	}
	series = series.Fill(clock)
	return series, series.Trend(s.timestamp()), nil
}

// Trend returns how a scope grows, as of the last hour. It costs no disk access.
func (s *Store) Trend(scope quota.Scope) history.Trend {
	s.recorder.mu.RLock()
	defer s.recorder.mu.RUnlock()
	return s.recorder.trends[scope]
}

// Forecasts are when a scope will reach each figure of its limit, where that can be told; nil where not.
type Forecasts struct{ Bytes, Objects *history.Forecast }

// Forecast returns when an account will reach its limit, if it grows as its trend says.
func (s *Store) Forecast(a quota.Account, t history.Trend) (f Forecasts) {
	now := s.timestamp()
	if bytes, ok := t.Forecast(t.Bytes, limitedBytes(a), a.Limit.MaxBytes, now); ok {
		f.Bytes = &bytes
	}
	if objects, ok := t.Forecast(t.Objects, a.Usage.Objects, a.Limit.MaxObjects, now); ok {
		f.Objects = &objects
	}
	return f
}

// created returns when the buckets were made, in milliseconds.
func (b *bucketStates) created() map[quota.Scope]int64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	created := make(map[quota.Scope]int64, len(b.states))
	for name, state := range b.states {
		created[quota.BucketScope(string(name))] = state.Created.UnixMilli()
	}
	return created
}

// createdOf returns when a bucket was made, in milliseconds; 0 for other scopes.
func (b *bucketStates) createdOf(scope quota.Scope) int64 {
	if scope.Kind != quota.Bucket {
		return 0
	}
	state, err := b.get(meta.BucketName(scope.Name))
	if err != nil {
		return 0
	}
	return state.Created.UnixMilli()
}

func historyName(scope quota.Scope) string {
	switch scope.Kind {
	case quota.Server:
		return "s"
	case quota.Owner:
		return "o" + scope.Name
	default:
		return "b" + scope.Name
	}
}

func parseHistoryName(name string) (quota.Scope, bool) {
	switch {
	case name == "s":
		return quota.ServerScope, true
	case len(name) > 1 && name[0] == 'o':
		return quota.OwnerScope(name[1:]), true
	case len(name) > 1 && name[0] == 'b':
		return quota.BucketScope(name[1:]), true
	default:
		return quota.Scope{}, false
	}
}
