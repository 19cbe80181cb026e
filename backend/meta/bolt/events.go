package bolt

import (
	"bytes"
	"context"
	"errors"
	"math"

	"github.com/plimsoll/plimsoll/backend/meta"
)

// maxSequence is above all sequences.
const maxSequence = math.MaxInt64

// outboxKey is the key of the outbox's own row, behind all events.
var outboxKey = eventKey(math.MaxUint64)

var errOutboxCount = errors.New("the outbox's row does not tell what is there")

func encodeOutbox(key []byte, o meta.Outbox) []byte {
	row := appendUint(newRow(32), int64(o.Last))
	row = appendUint(row, o.Events)
	return appendSum(tableEvents, key, appendUint(row, o.Bytes))
}

func decodeOutbox(key, value []byte) (o meta.Outbox, err error) {
	d, err := openRow(tableEvents, key, value)
	if err != nil {
		return o, err
	}
	o = meta.Outbox{Last: uint64(d.uint()), Events: d.uint(), Bytes: d.uint()}
	return o, d.finish(tableEvents, key)
}

// loadOutbox reads the outbox's row. Where that cannot be read it is counted anew, so that the rest goes on.
func loadOutbox(s snapshot) meta.Outbox {
	row := s.table(tableEvents).Get(outboxKey)
	if row == nil {
		return meta.Outbox{}
	}
	o, err := decodeOutbox(outboxKey, row)
	if err != nil {
		o, _ = countEvents(s, func(_, _ []byte) error { return nil })
	}
	return o
}

// countEvents visits all rows, and tells what events there are.
func countEvents(s snapshot, visit func(k, v []byte) error) (o meta.Outbox, err error) {
	err = s.table(tableEvents).ForEach(func(k, v []byte) error {
		if e, err := decodeEvent(k, v); err == nil {
			o.Last = e.Sequence
			o.Events++
			o.Bytes += int64(len(e.Value))
		}
		return visit(k, v)
	})
	return o, err
}

func decodeEvent(k, v []byte) (e meta.Event, err error) {
	if e.Sequence, err = parseEventKey(k); err != nil {
		return e, err
	}
	if e.Value, err = decodeOpaque(tableEvents, k, v); err != nil {
		e.Value, e.Err = nil, err
	}
	return e, nil
}

// appendEvents adds the events that the mutations before it give rise to.
func (b *batch) appendEvents(m meta.AppendEvents, before []meta.Result) (meta.Result, error) {
	if m.Make == nil || m.MaxEvents < 0 || m.MaxBytes < 0 {
		return meta.Result{}, invalid("events of nothing, or bounds below zero")
	}
	result := &meta.EventsResult{}
	values := m.Make(before)
	for i, value := range values {
		if b.outbox.Events >= m.MaxEvents || b.outbox.Bytes+int64(len(value)) > m.MaxBytes {
			result.Dropped = len(values) - i
			break
		}
		b.outbox.Last++
		b.outbox.Events++
		b.outbox.Bytes += int64(len(value))
		key := eventKey(b.outbox.Last)
		b.put(b.events, key, encodeOpaque(tableEvents, key, value))
		result.Added++
	}
	if result.Added > 0 {
		b.writeOutbox()
	}
	result.Outbox = b.outbox
	return meta.Result{Events: result}, nil
}

// forgetEvents removes the oldest events. One that cannot be read back goes as well: nobody can be told of it.
func (b *batch) forgetEvents(m meta.ForgetEvents) (meta.Result, error) {
	if m.Limit < 1 {
		return meta.Result{}, errLimit
	}
	result := &meta.EventsResult{}
	c := b.events.Cursor()
	var going [][]byte
	for k, v := c.Seek(eventKey(b.forgotten + 1)); k != nil && len(going) < m.Limit; k, v = c.Next() {
		e, err := decodeEvent(k, v)
		if err != nil || e.Sequence > m.Through {
			break
		}
		// The length of one that cannot be read stays in the sum, until the outbox is empty.
		b.outbox.Bytes = max(0, b.outbox.Bytes-int64(len(e.Value)))
		b.outbox.Events = max(0, b.outbox.Events-1)
		going = append(going, eventKey(e.Sequence))
	}
	if b.outbox.Events == 0 {
		b.outbox.Bytes = 0
	}
	for _, key := range going {
		b.delete(b.events, key)
	}
	if n := len(going); n > 0 {
		b.forgotten, _ = parseEventKey(going[n-1])
	}
	if result.Forgotten = len(going); result.Forgotten > 0 {
		b.writeOutbox()
	}
	result.Outbox = b.outbox
	return meta.Result{Events: result}, nil
}

func (b *batch) writeOutbox() { b.put(b.events, outboxKey, encodeOutbox(outboxKey, b.outbox)) }

// Events returns up to limit events above after.
func (r *Repository) Events(ctx context.Context, after uint64, limit int) (events []meta.Event, err error) {
	if limit < 1 {
		return nil, errLimit
	}
	if after >= maxSequence {
		return nil, nil
	}
	err = r.view(ctx, func(s snapshot) error {
		c := s.table(tableEvents).Cursor()
		for k, v := c.Seek(eventKey(after + 1)); k != nil && len(events) < limit; k, v = c.Next() {
			if e, err := decodeEvent(k, v); err == nil {
				events = append(events, e)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return events, nil
}

// Outbox tells what the outbox holds.
func (r *Repository) Outbox(ctx context.Context) (outbox meta.Outbox, err error) {
	err = r.readLedger(ctx, func() error {
		outbox = r.outbox
		return nil
	})
	return outbox, err
}

// events visits the events, and then what the outbox's row tells of them.
func (w *walker) events() error {
	failed := false
	corrupt := func(k []byte, err error) error {
		failed = true
		return w.corrupt(tableEvents, k, err)
	}
	counted, err := countEvents(w.snapshot, func(k, v []byte) error {
		if bytes.Equal(k, outboxKey) {
			return nil
		}
		e, err := decodeEvent(k, v)
		if err = errors.Join(err, e.Err); err != nil {
			return corrupt(k, err)
		}
		return w.visit(e)
	})
	if err != nil {
		return err
	}
	var stated meta.Outbox
	if row := w.table(tableEvents).Get(outboxKey); row != nil {
		if stated, err = decodeOutbox(outboxKey, row); err != nil {
			return corrupt(outboxKey, err)
		}
	}
	if !failed && (stated.Last < counted.Last || stated.Events != counted.Events || stated.Bytes != counted.Bytes) {
		return corrupt(outboxKey, errOutboxCount)
	}
	return nil
}
