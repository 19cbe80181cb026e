package encryption

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestEnvelopeRoundTrip(t *testing.T) {
	k := mustParse(t, keyLine(DefaultKeyName, 1)+keyLine("arn:aws:kms:us-east-1:1:key/a_b.c-d", 2))
	c := customerKey(3)
	d := NewDataKey()
	kms, err := k.WrapKMS("arn:aws:kms:us-east-1:1:key/a_b.c-d", d)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []Envelope{k.WrapS3(d), kms, c.Wrap(d)} {
		again, err := UnmarshalEnvelope(e.Marshal())
		if err != nil || again != e {
			t.Fatalf("%v: %+v, %v", e.Kind(), again, err)
		}
		unwrap := k.Unwrap
		if e.Kind() == Customer {
			unwrap = c.Unwrap
		}
		if got, err := unwrap(again); err != nil || !sameKey(got, d) {
			t.Errorf("%v: another key, %v", e.Kind(), err)
		}
		if bytes.Contains(e.Marshal(), d.bytes()[:]) {
			t.Errorf("%v: the data key is in the envelope", e.Kind())
		}
	}
	if a, b := k.WrapS3(d), k.WrapS3(d); a == b {
		t.Error("two envelopes are the same")
	}
	if a, b := NewDataKey(), NewDataKey(); sameKey(a, b) {
		t.Error("two data keys are the same")
	}
}

// TestEnvelopeIsAuthenticated checks that no bit of an envelope can be changed: it is refused, names a key that is not
// there, or does not unwrap.
func TestEnvelopeIsAuthenticated(t *testing.T) {
	k := mustParse(t, keyLine(DefaultKeyName, 1)+keyLine("photos", 2)+keyLine("qhotos", 3))
	c := customerKey(4)
	d := NewDataKey()
	kms, err := k.WrapKMS("photos", d)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []Envelope{k.WrapS3(d), kms, c.Wrap(d)} {
		b := e.Marshal()
		for i := range 8 * len(b) {
			b[i/8] ^= 1 << (i % 8)
			changed, err := UnmarshalEnvelope(b)
			b[i/8] ^= 1 << (i % 8)
			if err != nil {
				if !errors.Is(err, ErrCorrupt) {
					t.Errorf("%v, bit %d: %v", e.Kind(), i, err)
				}
				continue
			}
			if _, err := k.Unwrap(changed); err == nil {
				t.Errorf("%v, bit %d: the keyring unwraps it", e.Kind(), i)
			}
			if _, err := c.Unwrap(changed); err == nil {
				t.Errorf("%v, bit %d: the customer unwraps it", e.Kind(), i)
			}
		}
	}
}

// TestEnvelopeBinding checks that an envelope cannot be passed off as one of another kind or name, though the master
// key is the same.
func TestEnvelopeBinding(t *testing.T) {
	k := mustParse(t, keyLine(DefaultKeyName, 1))
	d := NewDataKey()
	asKMS := k.WrapS3(d)
	asKMS.kind, asKMS.keyName = KMS, DefaultKeyName
	asS3, err := k.WrapKMS(DefaultKeyName, d)
	if err != nil {
		t.Fatal(err)
	}
	asOther := asS3
	asOther.keyName = "photos"
	asS3.kind, asS3.keyName = S3, ""
	for name, e := range map[string]Envelope{"S3 as KMS": asKMS, "KMS as S3": asS3, "KMS with another name": asOther} {
		if _, err := UnmarshalEnvelope(e.Marshal()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := k.Unwrap(e); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnmarshalRefuses(t *testing.T) {
	k := mustParse(t, keyLine(DefaultKeyName, 1))
	d := NewDataKey()
	s3, customer := k.WrapS3(d).Marshal(), customerKey(1).Wrap(d).Marshal()
	kms, err := k.WrapKMS(DefaultKeyName, d)
	if err != nil {
		t.Fatal(err)
	}
	with := func(b []byte, at int, v byte) []byte {
		b = bytes.Clone(b)
		b[at] = v
		return b
	}
	tests := []struct {
		name string
		b    []byte
	}{
		{"nothing", nil},
		{"a head", s3[:envelopeHeadBytes]},
		{"a byte less", s3[:len(s3)-1]},
		{"a byte more", append(bytes.Clone(s3), 0)},
		{"another version", with(s3, 0, 2)},
		{"kind 0", with(s3, 1, 0)},
		{"kind 4", with(s3, 1, 4)},
		{"another algorithm", with(s3, 2, 2)},
		{"a name length that is too long", with(kms.Marshal(), envelopeHeadBytes-1, 8)},
		{"a bad name", with(kms.Marshal(), envelopeHeadBytes, ' ')},
		{"KMS without a name", with(s3, 1, byte(KMS))},
		{"S3 with a name", with(kms.Marshal(), 1, byte(S3))},
		{"SSE-C with a master key", with(customer, 3, 1)},
		{"S3 without a master key", with(customer, 1, byte(S3))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if e, err := UnmarshalEnvelope(tt.b); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%+v, %v", e, err)
			}
		})
	}
}

func TestMarshalPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the zero Envelope was marshaled")
		}
	}()
	Envelope{}.Marshal()
}

// TestKeysAreNotPrinted prints everything that holds a key, in every way, and looks for the key.
func TestKeysAreNotPrinted(t *testing.T) {
	key := strings.Repeat("K", KeyBytes)
	line := DefaultKeyName + " S0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0s=\n"
	d := DataKey{newSecret([]byte(key))}
	type holder struct{ d DataKey }
	values := []any{
		d,
		&d,
		holder{d},
		&holder{d},
		CustomerKey{secret: newSecret([]byte(key))},
		mustParse(t, line),
		*mustParse(t, line),
		[]DataKey{d},
		map[string]any{"key": d},
	}
	var logs strings.Builder
	text, asJSON := slog.New(slog.NewTextHandler(&logs, nil)), slog.New(slog.NewJSONHandler(&logs, nil))
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&logs, verb+"\n", v)
		}
		b, _ := json.Marshal(v)
		logs.Write(b)
		text.Info("key", "value", v)
		asJSON.Info("key", "value", v)
	}
	for _, leak := range []string{"KKKK", "4b4b4b", "4B4B4B", "75 75 75", "75, 75", "0x4b, 0x4b", "75,75", "S0tLS0"} {
		if strings.Contains(logs.String(), leak) {
			t.Errorf("%q is printed", leak)
		}
	}
	if got := fmt.Sprint(d); got != "[key]" {
		t.Errorf("a data key prints as %s", got)
	}
}
