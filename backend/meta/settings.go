package meta

import "time"

// Settings are what an object is created with besides its Attributes, and what may change while it is stored.
type Settings struct {
	Tags      []Tag // in the client's order
	Retention Retention
	LegalHold LegalHold
	// ACL and Encryption mean nothing to an engine. Empty where there is none.
	ACL, Encryption []byte
}

// Tag is a tag of an object.
type Tag struct{ Key, Value string }

// RetentionMode says who may remove a version before its time.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
type RetentionMode uint8

// The modes of retention.
const (
	// RetentionNone is that of a version without retention.
	RetentionNone RetentionMode = iota
	// RetentionGovernance can be bypassed by those who may.
	RetentionGovernance
	// RetentionCompliance can be bypassed by nobody.
	RetentionCompliance
)

// Retention locks a version until a time. Until is to the millisecond, UTC, and zero without a mode.
type Retention struct {
	Mode  RetentionMode
	Until time.Time
}

// LegalHold locks a version while it is on. S3 tells one that was never set from one that was taken off.
type LegalHold uint8

// The states of a legal hold.
const (
	LegalHoldNone LegalHold = iota
	LegalHoldOff
	LegalHoldOn
)

// Locked reports whether a version with these settings must not be removed: it is on hold, or its retention is not over
// and, where it is governance, not bypassed.
func (s *Settings) Locked(now time.Time, bypass bool) bool {
	return s.LegalHold == LegalHoldOn || (s.Retention.active(now) && (s.Retention.Mode == RetentionCompliance || !bypass))
}

func (r Retention) active(now time.Time) bool { return r.Mode != RetentionNone && now.Before(r.Until) }

// MayBecome reports whether a version's retention r may be replaced by next. One that is over may. Compliance may only
// last longer, and governance as well, in its own mode, unless it is bypassed.
func (r Retention) MayBecome(next Retention, now time.Time, bypass bool) bool {
	if !r.active(now) || (r.Mode == RetentionGovernance && bypass) {
		return true
	}
	return next.Mode == r.Mode && !next.Until.Before(r.Until)
}
