package quota

// Room is what a limit of bytes leaves of a scope, in figures to be shown. Their names and their meaning are those of
// RFC 4331, section 3 and 4.
type Room struct {
	Scope Scope
	// Total is the limit, Used what is stored, Available what may be added: less than the difference while bodies that
	// are arriving hold some of it, and 0 where a lowered limit leaves the scope over it. Bytes.
	Total, Used, Available int64
}

// Room returns what is left of the account's limit of bytes; false where it has none. As in a refusal, the server's
// parts of unfinished uploads are used, and those of other scopes are not.
func (a Account) Room() (Room, bool) {
	if a.Limit.MaxBytes == 0 {
		return Room{}, false
	}
	used, reserved := widen(a.Usage.Bytes), widen(a.Reserved.Bytes)
	if a.Scope.Kind == Server {
		used, reserved = used.plus(widen(a.Usage.PartBytes)), reserved.plus(widen(a.Reserved.PartBytes))
	}
	taken := used.plus(reserved).saturated()
	return Room{
		Scope: a.Scope, Total: a.Limit.MaxBytes, Used: used.saturated(),
		Available: max(0, add(a.Limit.MaxBytes, negate(taken))),
	}, true
}
