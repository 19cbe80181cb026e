package s3api

import "strconv"

// setRoom tells whoever signed a write that succeeded, or a HeadBucket, what is left of the tightest limit of bytes
// that holds for the bucket, or for the key that was written, so that a client can slow down before it is refused: x-plimsoll-quota-used-bytes,
// -available-bytes and -total-bytes, after RFC 4331. There are none where no limit holds.
//
// Who may write to a bucket may find out its limit by filling it, so the figures are no secret from them. Which scope
// they are of is not said: of the owner's and the server's figures others than administrators learn no more than that
// one of them is the tightest. Anonymous requests are told nothing.
func (rq *request) setRoom() {
	if rq.handler.config.NoQuotaHeaders || rq.access == nil || rq.who.Name == "" {
		return
	}
	room, limited := rq.store().Room(rq.access.Bucket, rq.key)
	if !limited {
		return
	}
	// One string for all three: this is on the way of every write.
	var digits [3 * len("9223372036854775807")]byte
	b := strconv.AppendInt(digits[:0], room.Used, 10)
	used := len(b)
	b = strconv.AppendInt(b, room.Available, 10)
	available := len(b)
	all := string(strconv.AppendInt(b, room.Total, 10))
	rq.w.set("X-Plimsoll-Quota-Used-Bytes", all[:used])
	rq.w.set("X-Plimsoll-Quota-Available-Bytes", all[used:available])
	rq.w.set("X-Plimsoll-Quota-Total-Bytes", all[available:])
}
