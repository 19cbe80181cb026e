package admin

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/iam"
)

func keyDocument(k iam.Key) adminapi.Key {
	return adminapi.Key{
		AccessKey: k.ID, User: k.User, Description: k.Description, Created: k.Created, Enabled: k.Enabled,
		Expires: k.Expires,
	}
}

// keyETag returns the entity tag of a key.
func keyETag(k iam.Key) string { return documentETag(keyDocument(k)) }

// keyCheck holds a key to the conditions of the request, and keeps it for the audit log. One of root is changed by root only,
// and not with a key that is held to less: what root has disabled stays so.
func (rq *request) keyCheck(old *iam.Key) iam.KeyCheck {
	return func(k iam.Key) error {
		if k.User == iam.RootName && !rq.who.Unbounded() {
			return problem("AccessDenied", http.StatusForbidden, "Only root changes and removes keys of root.")
		}
		*old = k
		return rq.condition(keyETag(k))
	}
}

func (rq *request) answerKey(k iam.Key) error {
	rq.w.Header().Set("ETag", keyETag(k))
	return rq.answer(http.StatusOK, keyDocument(k))
}

// keys returns the keys of a user, or of all users where the name is empty.
func (rq *request) keys(user string) []adminapi.Key {
	keys := []adminapi.Key{}
	for _, k := range rq.handler.config.Directory.Keys(user) {
		keys = append(keys, keyDocument(k))
	}
	return keys
}

func getKeys(rq *request) error {
	return rq.answer(http.StatusOK, adminapi.Keys{Keys: rq.keys("")})
}

func getKeysOfUser(rq *request) error {
	if _, err := rq.handler.config.Directory.User(rq.name); err != nil {
		return err
	}
	return rq.answer(http.StatusOK, adminapi.Keys{Keys: rq.keys(rq.name)})
}

func getKey(rq *request) error {
	k, err := rq.handler.config.Directory.Key(rq.name)
	if err != nil {
		return err
	}
	return rq.answerKey(k)
}

func createKey(rq *request) error {
	body, err := decodeOptional[adminapi.NewKey](rq, "access_key, secret_key, description and expires")
	if err != nil {
		return err
	}
	k, secret, err := rq.handler.config.Directory.CreateKey(rq.r.Context(), iam.NewKey{
		User: rq.name, ID: body.AccessKey, Secret: body.SecretKey, Description: body.Description, Expires: body.Expires,
	})
	if err != nil {
		return err
	}
	rq.note(nil, keyDocument(k))
	return rq.answerCreatedKey(k, secret)
}

// answerCreatedKey tells a secret, once.
func (rq *request) answerCreatedKey(k iam.Key, secret string) error {
	rq.w.Header().Set("ETag", keyETag(k))
	rq.w.Header().Set("Location", adminapi.Prefix+"keys/"+url.PathEscape(k.ID))
	return rq.answer(http.StatusCreated, adminapi.CreatedKey{Key: keyDocument(k), SecretKey: secret})
}

// patchKey changes what the body has. https://www.rfc-editor.org/rfc/rfc7396
func patchKey(rq *request) error {
	body, err := decode[struct {
		Enabled setting[bool] `json:"enabled"`
	}](rq, "enabled")
	if err != nil {
		return err
	}
	if !body.Enabled.given {
		k, err := rq.handler.config.Directory.Key(rq.name)
		if err == nil {
			err = rq.condition(keyETag(k))
		}
		if err != nil {
			return err
		}
		return rq.answerKey(k)
	}
	var old iam.Key
	k, err := rq.handler.config.Directory.SetKeyEnabled(rq.r.Context(), rq.name, body.Enabled.value, rq.keyCheck(&old))
	if err != nil {
		return err
	}
	rq.note(keyDocument(old), keyDocument(k))
	return rq.answerKey(k)
}

func deleteKey(rq *request) error {
	var old iam.Key
	if err := rq.handler.config.Directory.DeleteKey(rq.r.Context(), rq.name, rq.keyCheck(&old)); err != nil {
		return err
	}
	rq.note(keyDocument(old), nil)
	rq.w.WriteHeader(http.StatusNoContent)
	return nil
}

func rotateKey(rq *request) error {
	body, err := decodeOptional[adminapi.Rotation](rq, "grace_seconds and expires")
	if err != nil {
		return err
	}
	if body.GraceSeconds < 0 || body.GraceSeconds > adminapi.MaxGraceSeconds {
		return problem("InvalidArgument", http.StatusBadRequest,
			fmt.Sprintf("grace_seconds is a whole number from 0 to %d, a year.", adminapi.MaxGraceSeconds))
	}
	var old iam.Key
	k, secret, err := rq.handler.config.Directory.RotateKey(rq.r.Context(), rq.name, iam.Rotation{
		Grace: time.Duration(body.GraceSeconds) * time.Second, Expires: body.Expires,
	}, rq.keyCheck(&old))
	if err != nil {
		return err
	}
	rq.note(keyDocument(old), keyDocument(k))
	return rq.answerCreatedKey(k, secret)
}
