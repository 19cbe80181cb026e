package backend

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/bits"
	"slices"
	"strconv"

	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// DefaultThresholds are the percentages of limits whose crossing is told.
func DefaultThresholds() []int { return []int{80, 90, 100} }

// ErrThresholds says that percentages are not ones that could be thresholds.
var ErrThresholds = errors.New("thresholds are percentages from 1 to 100, each higher than the one before")

// CheckThresholds returns ErrThresholds where percents cannot be Options.Thresholds.
func CheckThresholds(percents []int) error {
	last := 0
	for _, p := range percents {
		if p <= last || p > 100 {
			return ErrThresholds
		}
		last = p
	}
	return nil
}

// reach is how many of the thresholds a scope has reached.
type reach struct{ bytes, objects int }

// thresholds follows how far the scopes have filled their limits, by what is committed. It is the committer's, and used
// by nobody beside it.
//
// What is known at the start follows from what was committed then: a crossing that was told in another run is not told
// again, and none that was committed has not been told, as they are in one transaction.
type thresholds struct {
	percents []int
	reaches  map[quota.Scope]reach // of the scopes that have a limit
}

func newThresholds(percents []int, accounts []quota.Account) thresholds {
	t := thresholds{percents: slices.Clone(percents), reaches: make(map[quota.Scope]reach)}
	if len(percents) == 0 {
		return t
	}
	for _, a := range accounts {
		if !a.Limit.Unlimited() {
			t.reaches[a.Scope] = t.reach(a)
		}
	}
	return t
}

func (t *thresholds) reach(a quota.Account) reach {
	return reach{t.reached(usedBytes(a), a.Limit.MaxBytes), t.reached(a.Usage.Objects, a.Limit.MaxObjects)}
}

// usedBytes is what a limit of bytes is held against: the server's counts unfinished parts in full.
func usedBytes(a quota.Account) int64 {
	if a.Scope.Kind == quota.Server {
		if a.Usage.Bytes > math.MaxInt64-a.Usage.PartBytes {
			return math.MaxInt64
		}
		return a.Usage.Bytes + a.Usage.PartBytes
	}
	return a.Usage.Bytes
}

// reached is how many thresholds of a limit are reached; none where there is no limit.
func (t *thresholds) reached(used, limit int64) int {
	if limit <= 0 {
		return 0
	}
	n := 0
	for _, percent := range t.percents {
		usedHigh, usedLow := bits.Mul64(uint64(used), 100)
		high, low := bits.Mul64(uint64(limit), uint64(percent))
		if usedHigh < high || (usedHigh == high && usedLow < low) {
			break
		}
		n++
	}
	return n
}

// standing is where a scope stands. The zero one is that of a scope without a limit.
type standing struct {
	reach
	limited bool
}

// crossings are what a batch crosses, until it is committed.
type crossings struct {
	*thresholds
	changed map[quota.Scope]standing // what the batch has changed
	events  []*event.Threshold
}

func (c *crossings) standing(scope quota.Scope) standing {
	if s, changed := c.changed[scope]; changed {
		return s
	}
	r, limited := c.reaches[scope]
	return standing{r, limited}
}

func (c *crossings) change(scope quota.Scope, s standing) {
	if c.changed == nil {
		c.changed = make(map[quota.Scope]standing)
	}
	c.changed[scope] = s
}

// observe notes a scope as a mutation has left it, and returns what it has crossed.
func (c *crossings) observe(a quota.Account) (crossed []*event.Threshold) {
	before, after := c.standing(a.Scope), standing{c.reach(a), !a.Limit.Unlimited()}
	if after == before {
		return nil
	}
	c.change(a.Scope, after)
	crossed = c.cross(crossed, a, quota.Bytes, before.bytes, after.bytes)
	crossed = c.cross(crossed, a, quota.Objects, before.objects, after.objects)
	c.events = append(c.events, crossed...)
	return crossed
}

// removed notes that a scope is no more. That crosses nothing.
func (c *crossings) removed(scope quota.Scope) {
	if c.standing(scope) != (standing{}) {
		c.change(scope, standing{})
	}
}

// committed makes what the batch has changed what is known.
func (c *crossings) committed() {
	for scope, s := range c.changed {
		if s.limited {
			c.reaches[scope] = s.reach
		} else {
			delete(c.reaches, scope)
		}
	}
}

// untold takes over what a commit that tells nothing has done to the scopes with limits. A new limit is followed from now
// on, as one of which nothing is reached: what is reached will be told with a later commit.
func (t *thresholds) untold(results []meta.Result) {
	if len(t.percents) == 0 {
		return
	}
	for i := range results {
		for _, a := range results[i].Accounts {
			if _, followed := t.reaches[a.Scope]; !followed && !a.Limit.Unlimited() {
				t.reaches[a.Scope] = reach{}
			}
		}
		for _, scope := range results[i].RemovedScopes {
			delete(t.reaches, scope)
		}
	}
}

// cross adds an event for each threshold between before and after, in the order in which usage has passed them.
func (c *crossings) cross(
	crossed []*event.Threshold, a quota.Account, r quota.Resource, before, after int,
) []*event.Threshold {
	e := event.Threshold{
		Scope: a.Scope.Kind, Name: a.Scope.Name, Prefix: a.Scope.Prefix,
		Resource: r, Used: usedBytes(a), Limit: a.Limit.MaxBytes,
	}
	if r == quota.Objects {
		e.Used, e.Limit = a.Usage.Objects, a.Limit.MaxObjects
	}
	for before != after {
		next := e
		if next.Rising = after > before; next.Rising {
			next.Percent = c.percents[before]
			before++
		} else {
			before--
			next.Percent = c.percents[before]
		}
		crossed = append(crossed, &next)
	}
	return crossed
}

// countCrossings has the counters of crossings show before they count, so that their first step is seen.
func (s *Store) countCrossings(percents []int) {
	for _, kind := range []quota.ScopeKind{quota.Prefix, quota.Bucket, quota.Owner, quota.Server} {
		for _, resource := range []quota.Resource{quota.Bytes, quota.Objects} {
			for _, percent := range percents {
				for _, direction := range []string{"up", "down"} {
					s.metrics.crossed.WithLabelValues(string(kind), string(resource), strconv.Itoa(percent), direction)
				}
			}
		}
	}
}

// tell logs and counts a crossing.
func (s *Store) tell(t *event.Threshold) {
	level, direction := slog.LevelInfo, "down"
	if t.Rising {
		level, direction = slog.LevelWarn, "up"
	}
	s.log.Log(context.Background(), level, "quota threshold crossed", "scope", t.Scope, "name", t.Name,
		"prefix", t.Prefix, "resource", t.Resource, "percent", t.Percent, "direction", direction, "used", t.Used, "limit", t.Limit)
	s.metrics.crossed.WithLabelValues(string(t.Scope), string(t.Resource), strconv.Itoa(t.Percent), direction).Inc()
}
