package admin

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/plimsoll/plimsoll/s3api/adminapi"
	"github.com/plimsoll/plimsoll/s3api/iam"
)

func userDocument(u iam.User) adminapi.User {
	return adminapi.User{
		Name: u.Name, ID: u.ID, ARN: u.ARN(), Created: u.Created, Enabled: u.Enabled,
		Policies: append([]string{}, u.Policies...), // not null
	}
}

// userETag returns the entity tag of a user.
func userETag(u iam.User) string { return documentETag(userDocument(u)) }

func (rq *request) answerUser(status int, u iam.User) error {
	rq.w.Header().Set("ETag", userETag(u))
	return rq.answer(status, userDocument(u))
}

func getUsers(rq *request) error {
	answer := adminapi.Users{Users: []adminapi.User{}}
	for _, u := range rq.handler.config.Directory.Users() {
		answer.Users = append(answer.Users, userDocument(u))
	}
	return rq.answer(http.StatusOK, answer)
}

func getUser(rq *request) error {
	u, err := rq.handler.config.Directory.User(rq.name)
	if err != nil {
		return err
	}
	return rq.answerUser(http.StatusOK, u)
}

// getSelf tells who asks about themselves, whether they are an administrator or not.
func getSelf(rq *request) error {
	answer := adminapi.Self{Administrator: rq.administrator(), Keys: []adminapi.Key{}}
	if rq.who.Root {
		answer.User = adminapi.User{
			Name: rq.who.Name, ID: rq.who.Principal.ID, ARN: rq.who.Principal.ARN, Enabled: true, Policies: []string{},
		}
		return rq.answer(http.StatusOK, answer)
	}
	u, err := rq.handler.config.Directory.User(rq.who.Name)
	if err != nil {
		return err
	}
	answer.User = userDocument(u)
	answer.Keys = rq.keys(u.Name)
	if len(rq.who.Bounds) > 0 { // the others are no matter of a key that is held to a policy
		answer.Keys = slices.DeleteFunc(answer.Keys, func(k adminapi.Key) bool { return k.AccessKey != rq.accessKey })
	}
	return rq.answer(http.StatusOK, answer)
}

// userBody is adminapi.UserSettings as a body has it.
type userBody struct {
	Enabled  setting[bool]     `json:"enabled"`
	Policies setting[[]string] `json:"policies"`
}

const userFields = "enabled and policies"

// over changes what the body has.
func (b *userBody) over(u *iam.User) {
	if b.Enabled.given {
		u.Enabled = b.Enabled.value
	}
	if b.Policies.given {
		u.Policies = b.Policies.value
	}
}

// putUser makes a user. With If-Match it replaces the settings of the one that the client knows.
func putUser(rq *request) error {
	body, err := decodeOptional[userBody](rq, userFields)
	if err != nil {
		return err
	}
	settings := iam.User{Enabled: true}
	body.over(&settings)
	if rq.conditional() {
		err := rq.changeUser(func(u *iam.User) error {
			u.Enabled, u.Policies = settings.Enabled, settings.Policies
			return nil
		})
		if errors.Is(err, iam.ErrNoSuchUser) {
			return rq.condition("")
		}
		return err
	}
	u, err := rq.handler.config.Directory.CreateUser(rq.r.Context(), iam.NewUser{
		Name: rq.name, Policies: settings.Policies, Disabled: !settings.Enabled,
	})
	if err != nil {
		return rq.taken(err, iam.ErrUserExists)
	}
	rq.note(nil, userDocument(u))
	return rq.answerUser(http.StatusCreated, u)
}

// patchUser changes what the body has. https://www.rfc-editor.org/rfc/rfc7396
func patchUser(rq *request) error {
	body, err := decode[userBody](rq, userFields)
	if err != nil {
		return err
	}
	return rq.changeUser(func(u *iam.User) error {
		body.over(u)
		return nil
	})
}

// changeUser changes the user that the path names, if they are as the conditions say.
func (rq *request) changeUser(edit func(*iam.User) error) error {
	var old adminapi.User
	u, err := rq.handler.config.Directory.ChangeUser(rq.r.Context(), rq.name, func(u *iam.User) error {
		if err := rq.condition(userETag(*u)); err != nil {
			return err
		}
		old = userDocument(*u)
		return edit(u)
	})
	if err != nil {
		return err
	}
	rq.note(old, userDocument(u))
	return rq.answerUser(http.StatusOK, u)
}

// deleteUser removes a user who owns no buckets, and their limit: whoever gets the name later does not inherit it. A
// bucket that the user makes at this very moment is root's to look after.
func deleteUser(rq *request) error {
	remove := func(u iam.User) error {
		if err := rq.condition(userETag(u)); err != nil {
			return err
		}
		rq.note(userDocument(u), nil)
		return rq.ownsNothing(u.Name)
	}
	lock := rq.handler.config.Store.LimitLock()
	lock.Lock()
	defer lock.Unlock()
	if err := rq.handler.config.Directory.DeleteUser(rq.r.Context(), rq.name, remove); err != nil {
		return err
	}
	rq.w.WriteHeader(http.StatusNoContent)
	return nil
}

// ownsNothing fails where a user owns buckets: nobody would be left to answer for them.
func (rq *request) ownsNothing(user string) error {
	buckets, err := rq.handler.config.Store.ListBuckets(rq.r.Context())
	if err != nil {
		return err
	}
	var owned []string
	for _, b := range buckets {
		if b.Owner == user {
			owned = append(owned, string(b.Name))
		}
	}
	if len(owned) == 0 {
		return nil
	}
	p := problem("UserOwnsBuckets", http.StatusConflict,
		fmt.Sprintf("User %q owns buckets: %s. Remove them first, or disable the user.", user, listed(owned)))
	p.Buckets = slices.Clip(owned)
	return p
}

// listed names the first few of what there is.
func listed(names []string) string {
	const shown = 5
	text := strings.Join(names[:min(shown, len(names))], ", ")
	if len(names) > shown {
		text += fmt.Sprintf(" and %d more", len(names)-shown)
	}
	return text
}

func attachPolicy(rq *request) error {
	return rq.changeUser(func(u *iam.User) error {
		u.Policies = append(u.Policies, rq.second)
		return nil
	})
}

func detachPolicy(rq *request) error {
	return rq.changeUser(func(u *iam.User) error {
		if !slices.Contains(u.Policies, rq.second) {
			return fmt.Errorf("%w: %q", iam.ErrNotAttached, rq.second)
		}
		u.Policies = slices.DeleteFunc(u.Policies, func(p string) bool { return p == rq.second })
		return nil
	})
}
