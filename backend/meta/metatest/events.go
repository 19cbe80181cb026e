package metatest

import (
	"fmt"
	"reflect"
	"strings"

	"pgregory.net/rapid"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// appendEvents adds events with these values, within bounds that nothing here reaches.
func appendEvents(values ...string) meta.AppendEvents {
	return meta.AppendEvents{MaxEvents: 1000, MaxBytes: 1 << 20, Make: func([]meta.Result) [][]byte {
		var events [][]byte
		for _, v := range values {
			events = append(events, []byte(v))
		}
		return events
	}}
}

// wantEvents checks the events above a sequence, and what the outbox says of all of them.
func (f *fixture) wantEvents(after uint64, last uint64, want string) {
	f.Helper()
	events, err := f.repo.Events(background, after, 100)
	if err != nil {
		f.Fatalf("Events: %v", err)
	}
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprintf("%d=%s", e.Sequence, e.Value))
	}
	if strings.Join(got, " ") != want {
		f.Errorf("events above %d are %q, want %q", after, got, want)
	}
	all, err := f.repo.Events(background, 0, 100)
	if err != nil {
		f.Fatalf("Events: %v", err)
	}
	expected := meta.Outbox{Last: last, Events: int64(len(all))}
	for _, e := range all {
		expected.Bytes += int64(len(e.Value))
	}
	if outbox, err := f.repo.Outbox(background); err != nil || outbox != expected {
		f.Errorf("Outbox: %+v, %v, want %+v", outbox, err, expected)
	}
}

func testEvents(f *fixture) {
	f.wantEvents(0, 0, "")
	f.must(createBucket("b"))
	// What is made of results: those of the mutations before it in its batch, refused ones with their errors.
	results := f.commit(
		put("b", "k", object(1, 10)), put("x", "k", object(2, 10)),
		meta.AppendEvents{MaxEvents: 9, MaxBytes: 99, Make: func(results []meta.Result) [][]byte {
			var events [][]byte
			for i, r := range results {
				events = append(events, fmt.Appendf(nil, "%d %t", i, r.Err == nil))
			}
			return events
		}},
		appendEvents(), // of nothing
		put("b", "l", object(3, 10)),
	)
	if e := results[2].Events; e == nil || e.Added != 2 || e.Dropped != 0 || e.Last != 2 || results[0].Events != nil {
		f.Errorf("the result of events is %+v", results[2])
	}
	f.wantEvents(0, 2, "1=0 true 2=1 false")
	f.must(appendEvents("c", ""))
	f.wantEvents(1, 4, "2=1 false 3=c 4=")
	f.wantEvents(4, 4, "")
	f.wantEvents(1<<64-1, 4, "")
	f.reopen()
	f.wantEvents(2, 4, "3=c 4=")

	// They go from the oldest on, in steps, and never beyond what is asked for.
	if e := f.must(meta.ForgetEvents{Through: 3, Limit: 2}).Events; e == nil || e.Forgotten != 2 || e.Outbox.Events != 2 {
		f.Errorf("the result of forgetting is %+v", e)
	}
	f.wantEvents(0, 4, "3=c 4=")
	f.must(meta.ForgetEvents{Through: 3, Limit: 9})
	f.wantEvents(0, 4, "4=")
	if e := f.must(meta.ForgetEvents{Through: 3, Limit: 9}).Events; e.Forgotten != 0 {
		f.Errorf("nothing is forgotten as %+v", e)
	}
	// Sequences go on where none is left, also in another run: whoever has read up to one must not miss the next.
	f.must(meta.ForgetEvents{Through: 1 << 60, Limit: 9})
	f.wantEvents(0, 4, "")
	f.reopen()
	f.wantEvents(0, 4, "")
	f.must(appendEvents("e"))
	f.wantEvents(4, 5, "5=e")
	// Within a batch, each sees what those before it have made.
	f.commit(appendEvents("f"), meta.ForgetEvents{Through: 6, Limit: 9}, appendEvents("g"))
	f.wantEvents(0, 7, "7=g")

	for _, bad := range []meta.Mutation{
		meta.AppendEvents{MaxEvents: 1}, meta.ForgetEvents{Through: 9},
	} {
		if r := f.commit(bad)[0]; r.Err == nil {
			f.Errorf("%+v is applied", bad)
		}
	}
	if _, err := f.repo.Events(background, 0, 0); err == nil {
		f.Error("a page of no events is read")
	}
}

func testEventBounds(f *fixture) {
	bounded := func(events, bytes int64, values ...string) meta.AppendEvents {
		m := appendEvents(values...)
		m.MaxEvents, m.MaxBytes = events, bytes
		return m
	}
	added := func(m meta.AppendEvents, added, dropped int) {
		f.Helper()
		if e := f.must(m).Events; e.Added != added || e.Dropped != dropped {
			f.Errorf("%d added and %d dropped, want %d and %d", e.Added, e.Dropped, added, dropped)
		}
	}
	added(bounded(2, 99, "a", "b", "c"), 2, 1)
	added(bounded(2, 99, "d"), 0, 1)
	// The one that does not fit takes those behind it along: the order has no holes that move.
	added(bounded(9, 5, "eee", "ffff", "g"), 1, 2)
	f.wantEvents(0, 3, "1=a 2=b 3=eee")
	added(bounded(9, 5, "h"), 0, 1)
	f.must(meta.ForgetEvents{Through: 1, Limit: 9})
	added(bounded(9, 5, "h"), 1, 0)
	f.wantEvents(0, 4, "2=b 3=eee 4=h")
	f.reopen()
	added(bounded(9, 5, "i"), 0, 1)
}

// events draws events that are added, and the forgetting of some.
func (g *generator) events() meta.Mutation {
	if g.odds(3, "forget") {
		return meta.ForgetEvents{
			Through: uint64(rapid.IntRange(0, int(g.model.last)+1).Draw(g.T, "through")),
			Limit:   rapid.IntRange(1, 3).Draw(g.T, "limit"),
		}
	}
	m := appendEvents(rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "event"}), 0, 3).Draw(g.T, "values")...)
	m.MaxEvents, m.MaxBytes = int64(rapid.IntRange(0, 5).Draw(g.T, "events")), int64(rapid.IntRange(0, 12).Draw(g.T, "bytes"))
	return m
}

func (m *model) appendEvents(x meta.AppendEvents) {
	for _, value := range x.Make(nil) {
		bytes := int64(len(value))
		for _, e := range m.events {
			bytes += int64(len(e.Value))
		}
		if int64(len(m.events)) >= x.MaxEvents || bytes > x.MaxBytes {
			return
		}
		m.last++
		m.events = append(m.events, meta.Event{Sequence: m.last, Value: value})
	}
}

func compareEvents(t TB, repo meta.Repository, m *model) {
	events, err := repo.Events(background, 0, 1<<20)
	if err != nil || len(events) != len(m.events) || (len(events) > 0 && !reflect.DeepEqual(events, m.events)) {
		t.Fatalf("events %+v, %v, want %+v", events, err, m.events)
	}
	outbox, err := repo.Outbox(background)
	if err != nil || outbox.Last != m.last || outbox.Events != int64(len(m.events)) {
		t.Fatalf("outbox %+v, %v, want %d events up to %d", outbox, err, len(m.events), m.last)
	}
}
