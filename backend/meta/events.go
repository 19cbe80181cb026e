package meta

// Event is a row of the outbox: something that has happened, for whoever asks. Its value means nothing to an engine.
type Event struct {
	// Sequence counts events from 1, in the order in which they were committed. None is used twice.
	Sequence uint64
	Value    []byte
	// Err wraps ErrCorrupt where the value cannot be read back; else it is nil.
	Err error
}

// Outbox is what the outbox holds.
type Outbox struct {
	// Last is the sequence of the newest event that there ever was; 0 for none.
	Last uint64
	// Events is how many events are kept, Bytes the sum of their values.
	Events, Bytes int64
}

// AppendEvents adds events to the outbox, in the transaction of the mutations before it in the batch: an event is there
// exactly when what it tells of is. Where one would be beyond a bound, it and those after it are dropped, and counted in
// Result.Events; nothing is refused for that.
type AppendEvents struct {
	// Make is called within the transaction, once, with the results of the mutations before this one, and returns the
	// values. It must not call the repository, and not keep the results.
	Make func(results []Result) [][]byte
	// MaxEvents and MaxBytes bound what the outbox holds.
	MaxEvents, MaxBytes int64
}

// ForgetEvents removes up to Limit events, the oldest, of those whose sequence is not above Through.
type ForgetEvents struct {
	Through uint64
	Limit   int
}

func (AppendEvents) mutation() {}
func (ForgetEvents) mutation() {}

// EventsResult is what an AppendEvents or a ForgetEvents has made of the outbox.
type EventsResult struct {
	Outbox
	// Added is how many events were added, Dropped how many had no room, Forgotten how many were removed.
	Added, Dropped, Forgotten int
}
