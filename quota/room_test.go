package quota

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestRoom(t *testing.T) {
	const most = math.MaxInt64
	for _, test := range []struct {
		name    string
		account Account
		want    Room
		limited bool
	}{
		{"no limit", Account{Scope: photos, Usage: Usage{Bytes: 5}}, Room{}, false},
		{"of objects only", Account{Scope: photos, Limit: maxObjects(3)}, Room{}, false},
		{"empty", Account{Scope: photos, Limit: maxBytes(10)}, Room{photos, 10, 0, 10}, true},
		{
			"held bytes are not used, and not available",
			Account{Scope: photos, Limit: maxBytes(10), Usage: Usage{Bytes: 3}, Reserved: Delta{Bytes: 5}},
			Room{photos, 10, 3, 2},
			true,
		},
		{
			"parts of a bucket are no objects yet",
			Account{
				Scope: photos, Limit: maxBytes(10), Usage: Usage{Bytes: 3, PartBytes: 9}, Reserved: Delta{PartBytes: 1},
			},
			Room{photos, 10, 3, 7},
			true,
		},
		{
			"parts are on the server's disk",
			Account{
				Scope: ServerScope, Limit: maxBytes(20), Usage: Usage{Bytes: 3, PartBytes: 9},
				Reserved: Delta{PartBytes: 1},
			},
			Room{ServerScope, 20, 12, 7},
			true,
		},
		{
			"over a lowered limit",
			Account{Scope: alice, Limit: maxBytes(10), Usage: Usage{Bytes: 11}},
			Room{alice, 10, 11, 0},
			true,
		},
		{
			"sums beyond int64",
			Account{
				Scope: ServerScope, Limit: maxBytes(most), Usage: Usage{Bytes: most, PartBytes: most},
				Reserved: Delta{Bytes: most},
			},
			Room{ServerScope, most, most, 0},
			true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, limited := test.account.Room()
			if got != test.want || limited != test.limited {
				t.Errorf("%+v, %v, want %+v, %v", got, limited, test.want, test.limited)
			}
		})
	}
}

// What Room calls available is what Admit lets in: that much, and not a byte more.
func TestRoomIsWhatAdmitLetsIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		figure := rapid.OneOf(rapid.Int64Range(0, 100), rapid.Int64Range(0, math.MaxInt64))
		a := Account{
			Scope:    rapid.SampledFrom([]Scope{photos, alice, ServerScope}).Draw(t, "scope"),
			Limit:    maxBytes(figure.Draw(t, "limit")),
			Usage:    Usage{Bytes: figure.Draw(t, "bytes"), PartBytes: figure.Draw(t, "parts")},
			Reserved: Delta{Bytes: figure.Draw(t, "held"), PartBytes: figure.Draw(t, "held parts")},
		}
		room, limited := a.Room()
		if !limited {
			return
		}
		if room.Available > 0 {
			if err := Admit(a, put(room.Available, 1)); err != nil {
				t.Fatalf("%+v: %v", room, err)
			}
		}
		if room.Available == math.MaxInt64 {
			return
		}
		var exceeded *ExceededError
		if err := Admit(a, put(room.Available+1, 1)); !errors.As(err, &exceeded) {
			t.Fatalf("%+v lets in a byte more", room)
		}
		if exceeded.Total != room.Total || exceeded.Used != room.Used || exceeded.Available() != room.Available {
			t.Fatalf("%+v, and a refusal says %+v", room, exceeded)
		}
	})
}
