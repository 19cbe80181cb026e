package backend

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/backend/event"
	"github.com/plimsoll/plimsoll/backend/lifecycle"
	"github.com/plimsoll/plimsoll/backend/meta"
	"github.com/plimsoll/plimsoll/quota"
)

// following has the usual thresholds.
func following(o *Options) { o.Thresholds = DefaultThresholds() }

// told returns the events above a sequence, decoded.
func (f *fixture) told(after uint64) (events []*event.Event) {
	f.t.Helper()
	rows, err := f.Events(background, after, 1<<20)
	if err != nil {
		f.t.Fatalf("events: %v", err)
	}
	for _, row := range rows {
		e, err := event.Unmarshal(row.Value)
		if err = errors.Join(row.Err, err); err != nil {
			f.t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

// describe tells in a line what a test looks at.
func describe(events []*event.Event) string {
	var lines []string
	for _, e := range events {
		var to []string
		for _, t := range e.To {
			to = append(to, t.Webhook)
		}
		switch {
		case e.Threshold != nil:
			direction := map[bool]string{true: "up", false: "down"}[e.Threshold.Rising]
			lines = append(lines, fmt.Sprintf("%s%s:%s %d %s %d/%d", e.Threshold.Scope, e.Threshold.Name, e.Threshold.Resource,
				e.Threshold.Percent, direction, e.Threshold.Used, e.Threshold.Limit))
		default:
			lines = append(lines, fmt.Sprintf("%s %s>%s", e.Type, e.Key, strings.Join(to, "+")))
		}
	}
	return strings.Join(lines, "; ")
}

func (f *fixture) wantTold(after uint64, want string) {
	f.t.Helper()
	if got := describe(f.told(after)); got != want {
		f.t.Errorf("told\n%s, want\n%s", got, want)
	}
}

func (f *fixture) last() uint64 {
	f.t.Helper()
	outbox, err := f.Outbox(background)
	if err != nil {
		f.t.Fatal(err)
	}
	return outbox.Last
}

// notify sets the notification rules of the bucket "b".
func (f *fixture) notify(rules ...event.Rule) {
	f.t.Helper()
	raw := (&event.Rules{Rules: rules}).Marshal()
	if len(rules) == 0 {
		raw = nil
	}
	if err := f.PutBucketConfig(background, "b", ConfigNotification, raw); err != nil {
		f.t.Fatal(err)
	}
}

func TestThresholdsAreToldWhenTheyAreCrossed(t *testing.T) {
	f := open(t, following)
	f.limit(bucketB, quota.Limit{MaxBytes: 1000, MaxObjects: 10})
	f.put("a", noise(799, 1))
	f.wantTold(0, "")
	f.put("b", noise(1, 1))
	f.wantTold(0, "bucketb:bytes 80 up 800/1000")
	f.put("c", noise(50, 1)) // still between the two
	f.wantTold(1, "")
	f.put("d", noise(150, 1)) // two at once, and exactly full
	f.wantTold(1, "bucketb:bytes 90 up 1000/1000; bucketb:bytes 100 up 1000/1000")
	f.delete("a")
	f.wantTold(3, "bucketb:bytes 100 down 201/1000; bucketb:bytes 90 down 201/1000; bucketb:bytes 80 down 201/1000")
	// A limit that changes crosses as well, and one that is gone leaves nothing reached.
	f.limit(bucketB, quota.Limit{MaxBytes: 250, MaxObjects: 3})
	f.wantTold(6, "bucketb:bytes 80 up 201/250; bucketb:objects 80 up 3/3; bucketb:objects 90 up 3/3; bucketb:objects 100 up 3/3")
	f.limit(bucketB, quota.Limit{MaxBytes: 250})
	f.wantTold(10, "bucketb:objects 100 down 3/0; bucketb:objects 90 down 3/0; bucketb:objects 80 down 3/0")
	last := f.last()
	// What was told is not told again by the next run.
	f = f.reopen()
	f.put("e", noise(1, 2))
	f.wantTold(last, "")
	f.limit(ownerAda, quota.Limit{MaxObjects: 5})
	f.limit(quota.ServerScope, quota.Limit{MaxBytes: 203})
	f.wantTold(last, "ownerada:objects 80 up 4/5; server:bytes 80 up 202/203; server:bytes 90 up 202/203")
}

func TestNoThresholds(t *testing.T) {
	f := open(t)
	f.limit(bucketB, quota.Limit{MaxBytes: 10})
	f.put("a", noise(10, 1))
	f.wantTold(0, "")
	for _, bad := range [][]int{{0}, {101}, {80, 80}, {90, 80}} {
		if _, err := Open(Options{Dir: t.TempDir(), Thresholds: bad}); !errors.Is(err, ErrThresholds) {
			t.Errorf("thresholds %v: %v", bad, err)
		}
	}
}

// TestThresholdsAgainstAModel: whoever follows the events knows at any time which thresholds every scope has reached, is
// told of each once, and in its order.
func TestThresholdsAgainstAModel(t *testing.T) {
	f := open(t, following)
	rapid.Check(t, func(rt *rapid.T) {
		for _, scope := range []quota.Scope{bucketB, ownerAda, quota.ServerScope} {
			f.limit(scope, quota.Limit{})
		}
		f.deleteAll("b", []meta.Key{"a", "b", "c"})
		reached, after := map[string]bool{}, f.last()
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			f.randomStep(rt)
			for _, e := range f.told(after) {
				after++
				name := fmt.Sprint(e.Threshold.Scope, e.Threshold.Name, e.Threshold.Resource, e.Threshold.Percent)
				if reached[name] == e.Threshold.Rising {
					rt.Fatalf("%s is told to be %t again", name, e.Threshold.Rising)
				}
				if reached[name] = e.Threshold.Rising; !reached[name] {
					delete(reached, name)
				}
			}
			if want := reachedNow(f); fmt.Sprint(reached) != fmt.Sprint(want) {
				rt.Fatalf("by the events reached is %v, by the accounts %v", reached, want)
			}
			if rapid.IntRange(0, 99).Draw(rt, "reopen") == 0 {
				f = f.reopen()
			}
		}
	})
}

// randomStep changes the bucket, or a limit. What is refused changes nothing.
func (f *fixture) randomStep(rt *rapid.T) {
	key := meta.Key(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "key"))
	switch rapid.IntRange(0, 3).Draw(rt, "step") {
	case 0:
		scope := rapid.SampledFrom([]quota.Scope{bucketB, ownerAda, quota.ServerScope}).Draw(rt, "scope")
		f.limit(scope, quota.Limit{
			MaxBytes:   rapid.SampledFrom([]int64{0, 1, 10, 20, 100}).Draw(rt, "bytes"),
			MaxObjects: rapid.SampledFrom([]int64{0, 0, 1, 3}).Draw(rt, "objects"),
		})
	case 1:
		f.delete(key)
	default:
		var exceeded *quota.ExceededError
		err := f.tryPut(key, noise(rapid.IntRange(0, 20).Draw(rt, "size"), 1))
		if err != nil && !errors.As(err, &exceeded) {
			rt.Fatal(err)
		}
	}
}

func reachedNow(f *fixture) map[string]bool {
	reached := map[string]bool{}
	for _, a := range f.Accounts() {
		for resource, figures := range map[quota.Resource][2]int64{
			quota.Bytes: {a.Usage.Bytes, a.Limit.MaxBytes}, quota.Objects: {a.Usage.Objects, a.Limit.MaxObjects},
		} {
			for _, percent := range DefaultThresholds() {
				if figures[1] > 0 && figures[0]*100 >= figures[1]*int64(percent) {
					reached[fmt.Sprint(a.Scope.Kind, a.Scope.Name, resource, percent)] = true
				}
			}
		}
	}
	return reached
}

func TestReachedDoesNotOverflow(t *testing.T) {
	th := newThresholds([]int{80, 100}, nil)
	const most = 1<<63 - 1
	for _, c := range []struct {
		used, limit int64
		want        int
	}{{most, most, 2}, {most - 1, most, 1}, {most / 2, most, 0}, {most, 1, 2}, {0, most, 0}, {0, 0, 0}, {5, 0, 0}} {
		if got := th.reached(c.used, c.limit); got != c.want {
			t.Errorf("%d of %d reaches %d thresholds, want %d", c.used, c.limit, got, c.want)
		}
	}
}

func TestEventsOfObjects(t *testing.T) {
	f := open(t)
	f.put("before", nil)
	f.notify(
		event.Rule{ID: "1", Webhook: "w", Events: []string{"s3:ObjectCreated:*"}, Prefix: "k"},
		event.Rule{ID: "2", Webhook: "v", Events: []string{
			"s3:ObjectRemoved:*", "s3:ObjectTagging:*", event.ObjectACLPut, "s3:LifecycleExpiration:*",
		}},
	)
	put := f.put("k", noise(10, 1))
	f.put("other", nil)
	if err := f.copy("k", "k2"); err != nil {
		t.Fatal(err)
	}
	f.wantTold(0, "s3:ObjectCreated:Put k>w; s3:ObjectCreated:Copy k2>w")
	if o := f.told(0)[0]; o.Object.Size != 10 || o.Object.ETag != string(put.ETag) || o.Owner != "ada" || o.Bucket != "b" ||
		o.ID == "" || o.ID == f.told(1)[0].ID || !o.Time.Equal(put.Modified) || o.To[0].Rule != "1" {
		t.Errorf("the event is %+v, %+v", o, o.Object)
	}
	// A refused write tells nothing, and neither does a deletion of nothing.
	_, err := f.PutObject(background, PutObjectInput{
		Bucket: "b", Key: "k", Owner: "ada", Body: body(nil), Precondition: meta.Precondition{IfNoneMatch: true},
	})
	if !errors.Is(err, meta.ErrPreconditionFailed) {
		t.Errorf("put: %v", err)
	}
	f.delete("nothing")
	f.delete("k2")
	tags, acl := []meta.Tag{{Key: "a"}}, []byte("acl")
	for _, m := range []meta.UpdateObject{{Tags: &tags}, {Tags: new([]meta.Tag)}, {ACL: &acl}, {LegalHold: new(meta.LegalHold)}} {
		m.Bucket, m.Key = "b", "k"
		if _, err := f.UpdateObject(background, m); err != nil {
			t.Fatal(err)
		}
	}
	f.wantTold(2, "s3:ObjectRemoved:Delete k2>v; s3:ObjectTagging:Put k>v; s3:ObjectTagging:Delete k>v; s3:ObjectAcl:Put k>v")
	after := f.last()
	if err := f.SetVersioning(background, "b", meta.VersioningEnabled); err != nil {
		t.Fatal(err)
	}
	version := f.put("k", nil).Version
	f.delete("k")
	if _, err := f.DeleteObject(background, DeleteObjectInput{Bucket: "b", Key: "k", Version: version}); err != nil {
		t.Fatal(err)
	}
	f.wantTold(after, "s3:ObjectCreated:Put k>w; s3:ObjectRemoved:DeleteMarkerCreated k>v; s3:ObjectRemoved:Delete k>v")
	if events := f.told(after); events[0].Object.Version != string(version) || events[2].Object.Version != string(version) {
		t.Errorf("versions %q and %q, want %q", events[0].Object.Version, events[2].Object.Version, version)
	}
	// Where nobody wants to know, nothing is told; where a webhook wants all, it is.
	f.notify()
	after = f.last()
	f.put("k", nil)
	f.wantTold(after, "")
	f.Subscribe(event.Filter{"s3:ObjectCreated:*"})
	f.put("k", nil)
	f.delete("k")
	f.wantTold(after, "s3:ObjectCreated:Put k>")
	f.Subscribe(event.Filter{event.QuotaThreshold})
	f.put("k", nil)
	f.wantTold(after+1, "")
}

func TestEventsSurviveAReopen(t *testing.T) {
	f := open(t)
	f.notify(event.Rule{ID: "1", Webhook: "w", Events: []string{"s3:ObjectCreated:*"}})
	f.put("k", nil)
	f = f.reopen()
	f.put("l", nil) // by the rules that are stored
	f.wantTold(0, "s3:ObjectCreated:Put k>w; s3:ObjectCreated:Put l>w")
}

// TestAFailedCommitTellsNothing: neither events nor crossings of what is not stored.
func TestAFailedCommitTellsNothing(t *testing.T) {
	x := &faults{}
	f := open(t, following, withFaults(x))
	f.dirtyStop = true
	f.notify(event.Rule{ID: "1", Webhook: "w", Events: []string{"s3:ObjectCreated:*"}})
	f.limit(bucketB, quota.Limit{MaxBytes: 10})
	broken := errors.New("broken")
	x.set(func() {
		x.before = func(batch []meta.Mutation) error {
			// The events have been made, and the transaction fails after that.
			for _, m := range batch {
				if m, ok := m.(meta.AppendEvents); ok {
					m.Make([]meta.Result{{Accounts: []quota.Account{{
						Scope: bucketB, Limit: quota.Limit{MaxBytes: 10}, Usage: quota.Usage{Bytes: 9},
					}}}})
				}
			}
			return broken
		}
	})
	if err := f.tryPut("k", noise(9, 1)); !errors.Is(err, broken) {
		t.Fatalf("put: %v", err)
	}
	x.set(func() { x.before = nil })
	f.wantTold(0, "")
	f.put("k", noise(9, 1))
	f.wantTold(0, "s3:ObjectCreated:Put k>w; bucketb:bytes 80 up 9/10; bucketb:bytes 90 up 9/10")
}

func TestAFullOutboxHoldsUpNothing(t *testing.T) {
	f := open(t, func(o *Options) { o.maxEvents = 3 })
	f.notify(event.Rule{ID: "1", Webhook: "w", Events: []string{"s3:ObjectCreated:*"}})
	for i := range 5 {
		f.put(meta.Key(fmt.Sprint(i)), noise(10, 1))
	}
	f.wantTold(0, "s3:ObjectCreated:Put 0>w; s3:ObjectCreated:Put 1>w; s3:ObjectCreated:Put 2>w")
	if got := counted(t, f.metrics.dropped); got != 2 {
		t.Errorf("%v are counted as dropped", got)
	}
	// What was delivered goes with a later commit, and makes room before that adds its own.
	f.ForgetEvents(2)
	f.wantTold(2, "s3:ObjectCreated:Put 2>w")
	f.put("5", nil)
	f.wantTold(0, "s3:ObjectCreated:Put 2>w; s3:ObjectCreated:Put 5>w")
	f.put("6", nil)
	f.wantTold(4, "s3:ObjectCreated:Put 6>w")
}

// TestOnAFullDiskADeletionNeedsNoRoomForItsEvent: what is told is told with the next commit, as far as it is a threshold.
func TestOnAFullDiskADeletionNeedsNoRoomForItsEvent(t *testing.T) {
	x := &faults{}
	f := open(t, following, withFaults(x))
	f.limit(bucketB, quota.Limit{MaxBytes: 10})
	f.put("k", noise(8, 1))
	f.notify(event.Rule{ID: "1", Webhook: "w", Events: []string{"s3:ObjectRemoved:*"}})
	x.set(func() {
		x.before = fullFor(func(batch []meta.Mutation) bool {
			return slices.ContainsFunc(batch, func(m meta.Mutation) bool { _, tells := m.(meta.AppendEvents); return tells })
		})
	})
	f.delete("k")
	x.set(func() { x.before = nil })
	f.put("l", noise(1, 1))
	f.wantTold(1, "bucketb:bytes 80 down 1/10")
}

// TestALimitSetOnAFullDiskIsFollowed, though its commit tells nothing, and so is the end of a bucket.
func TestALimitSetOnAFullDiskIsFollowed(t *testing.T) {
	x := &faults{}
	f := open(t, following, withFaults(x))
	full := func() {
		x.before = fullFor(func(batch []meta.Mutation) bool {
			return slices.ContainsFunc(batch, func(m meta.Mutation) bool { _, tells := m.(meta.AppendEvents); return tells })
		})
	}
	room := func() { x.before = nil }
	x.set(full)
	f.limit(bucketB, quota.Limit{MaxBytes: 10}) // the first there is
	x.set(room)
	f.put("k", noise(8, 1))
	f.wantTold(0, "bucketb:bytes 80 up 8/10")
	x.set(full)
	f.delete("k")
	if err := f.DeleteBucket(background, "b"); err != nil {
		t.Fatal(err)
	}
	x.set(room)
	f.createBucket("b", quota.Limit{MaxBytes: 100}) // has nothing to do with the first
	f.put("k", noise(80, 1))
	f.wantTold(1, "bucketb:bytes 80 up 80/100")
}

// TestTheLimitOfANewUserIsFollowed: it is set with their records.
func TestTheLimitOfANewUserIsFollowed(t *testing.T) {
	f := open(t, following)
	f.defaults(Defaults{Owner: quota.Limit{MaxBytes: 10}})
	err := f.CreateOwner(background, "ada", meta.PutRecord{Kind: "user", Name: "ada", Value: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	f.put("k", noise(8, 1))
	f.wantTold(0, "ownerada:bytes 80 up 8/10")
}

// TestExpiryIsTold by its own names.
func TestExpiryIsTold(t *testing.T) {
	c := newClock()
	f := open(t, c.options)
	f.rules("b", lifecycle.Rule{ID: "r", ExpireDays: 1})
	f.notify(event.Rule{ID: "1", Webhook: "w", Events: []string{"s3:LifecycleExpiration:*", "s3:ObjectRemoved:*"}})
	f.put("k", nil)
	c.move(72 * time.Hour)
	f.expire(background)
	if err := f.SetVersioning(background, "b", meta.VersioningEnabled); err != nil {
		t.Fatal(err)
	}
	f.put("l", nil)
	c.move(72 * time.Hour)
	f.expire(background)
	f.wantTold(0, "s3:LifecycleExpiration:Delete k>w; s3:LifecycleExpiration:DeleteMarkerCreated l>w")
}

// TestRefusalsAreTold: the first at once, those that follow together.
func TestRefusalsAreTold(t *testing.T) {
	f := open(t)
	f.notify(event.Rule{ID: "1", Webhook: "w", Events: []string{event.BucketQuotaRefused}, Prefix: "k"})
	f.limit(bucketB, quota.Limit{MaxBytes: 10})
	err := f.tryPut("k", noise(11, 1))
	wantExceeded(t, err, bucketB, quota.Bytes)
	f.Refused(background, "PutObject", "b", "k", err)
	<-f.EventsChanged()
	e := f.told(0)[0]
	if r := e.Refusal; e.Type != event.QuotaRefused || r.Operation != "PutObject" || r.Limit != 10 || r.Requested != 11 ||
		r.Count != 1 || r.Scope != quota.Bucket || e.To[0].Webhook != "w" {
		t.Errorf("told %+v, %+v", e, r)
	}
	for range 3 {
		f.Refused(background, "PutObject", "b", "k", err)
	}
	f.Refused(background, "PutObject", "b", "other", err)              // no rule has it
	f.Refused(background, "PutObject", "b", "k", meta.ErrObjectLocked) // not for want of space
	f = f.reopen()                                                     // does not wait for the second to be over
	if events := f.told(1); len(events) != 1 || events[0].Refusal.Count != 3 {
		t.Errorf("told %s", describe(events))
	}
}

// TestTellingNobodyCostsNothing holds what every write passes.
func TestTellingNobodyCostsNothing(t *testing.T) {
	f := open(t, following)
	f.Subscribe(event.Filter{event.QuotaThreshold, event.QuotaRefused}) // of quotas only
	object := meta.Object{}
	p := &proposal{mutation: meta.PutObject{}}
	batch, mutations := []*proposal{p}, make([]meta.Mutation, 0, 4)
	if n := testing.AllocsPerRun(100, func() {
		p.notice = f.noticeOfObject(background, "b", "k", event.ObjectCreatedPut, &object)
		_, events := f.committer.addEvents(mutations, batch)
		events.committed(nil)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if p.notice != nil {
		t.Error("there is a notice for nobody")
	}
}

// counted returns what a counter says.
func counted(t *testing.T, c prometheus.Collector) float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil || len(families) != 1 {
		t.Fatalf("%d families, %v", len(families), err)
	}
	return families[0].GetMetric()[0].GetCounter().GetValue()
}
