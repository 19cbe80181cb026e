package minioadmin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/quota"
	"github.com/plimsoll/plimsoll/s3api/iam"
)

// What MinIO calls the states of a user.
const (
	enabled  = "enabled"
	disabled = "disabled"
)

// loginName is what both a user's name and an access key may be.
var loginName = regexp.MustCompile(`^[A-Za-z0-9_+.@-]{3,64}$`)

// userInfo is a user without the secret, which is not told again.
type userInfo struct {
	AuthInfo   authInfo  `json:"userAuthInfo"`
	PolicyName string    `json:"policyName,omitempty"` // names with commas between them
	Status     string    `json:"status"`
	MemberOf   []string  `json:"memberOf,omitempty"`
	UpdatedAt  time.Time `json:"updatedAt"`
}

type authInfo struct {
	Type string `json:"type"`
}

func userInfoOf(u iam.User) userInfo {
	info := userInfo{
		AuthInfo: authInfo{Type: "builtin"}, PolicyName: strings.Join(u.Policies, ","), Status: disabled, UpdatedAt: u.Created,
	}
	if u.Enabled {
		info.Status = enabled
	}
	return info
}

// userSettings is the body of add-user.
type userSettings struct {
	SecretKey string `json:"secretKey"`
	Policy    string `json:"policy"` // names with commas between them
	Status    string `json:"status"`
}

// addUser makes a user, or gives one another secret.
func addUser(rq *request) error {
	name := rq.query("accessKey")
	settings, err := decodeSealed[userSettings](rq)
	if err != nil {
		return err
	}
	if name == rq.handler.config.Directory.RootKey() {
		return failure("XMinioInvalidIAMCredentials", http.StatusForbidden, "User is not allowed to be same as admin access key")
	}
	if !loginName.MatchString(name) {
		return failure("XMinioAdminInvalidAccessKey", http.StatusBadRequest,
			"The access key is invalid: 3 to 64 letters, digits and _+.@- are allowed.")
	}
	if err := rq.mayHoldKey(name); err != nil {
		return err
	}
	if settings.Policy != "" && !rq.handsOutPolicies() {
		return errDenied
	}
	status, err := isEnabled(settings.Status, true)
	if err != nil {
		return err
	}
	login := iam.Login{Name: name, Secret: settings.SecretKey, Enabled: status}
	if settings.Policy != "" {
		login.Policies = names(settings.Policy)
	}
	if _, err = rq.handler.config.Directory.PutLogin(rq.r.Context(), login); err != nil {
		return err
	}
	return rq.done(http.StatusOK)
}

// isEnabled reads a status; empty is the one that is given.
func isEnabled(status string, otherwise bool) (bool, error) {
	switch status {
	case "":
		return otherwise, nil
	case enabled:
		return true, nil
	case disabled:
		return false, nil
	}
	return false, invalid("A status is enabled or disabled.")
}

// names splits a list of policies.
func names(list string) []string {
	all := []string{}
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "" {
			all = append(all, name)
		}
	}
	return all
}

func listUsers(rq *request) error {
	users := make(map[string]userInfo)
	for _, u := range rq.handler.config.Directory.Users() {
		users[u.Name] = userInfoOf(u)
	}
	return rq.answerSealed(users)
}

func getUserInfo(rq *request) error {
	name := rq.query("accessKey")
	if err := rq.authorize(name); err != nil {
		return err
	}
	u, err := rq.handler.config.Directory.User(name)
	if err != nil {
		return err
	}
	return rq.answer(userInfoOf(u))
}

func setUserStatus(rq *request) error {
	if rq.query("status") == "" {
		return invalid("A status is enabled or disabled.")
	}
	status, err := isEnabled(rq.query("status"), false)
	if err != nil {
		return err
	}
	_, err = rq.handler.config.Directory.ChangeUser(rq.r.Context(), rq.query("accessKey"), func(u *iam.User) error {
		u.Enabled = status
		return nil
	})
	if err != nil {
		return err
	}
	return rq.done(http.StatusOK)
}

// removeUser removes a user who owns no buckets, with their keys and their limit, as package admin does.
func removeUser(rq *request) error {
	name, config := rq.query("accessKey"), &rq.handler.config
	lock := config.Store.LimitLock()
	lock.Lock()
	defer lock.Unlock()
	if err := config.Directory.DeleteUser(rq.r.Context(), name, rq.ownsNothing); err != nil {
		return err
	}
	return rq.done(http.StatusOK)
}

// ownsNothing fails where a user owns buckets: nobody would be left to answer for them.
func (rq *request) ownsNothing(u iam.User) error {
	buckets, err := rq.handler.config.Store.ListBuckets(rq.r.Context())
	if err != nil {
		return err
	}
	first, others := "", 0
	for _, b := range buckets {
		switch {
		case b.Owner != u.Name:
		case first == "":
			first = string(b.Name)
		default:
			others++
		}
	}
	if first == "" {
		return nil
	}
	message := fmt.Sprintf("User %q owns bucket %q. Remove it first, or disable the user.", u.Name, first)
	if others > 0 {
		message = fmt.Sprintf("User %q owns bucket %q and %d more. Remove them first, or disable the user.", u.Name, first, others)
	}
	return failure("UserOwnsBuckets", http.StatusConflict, message)
}

// accountInfo is the answer to "accountinfo"; its fields have Go's names.
type accountInfo struct {
	AccountName string
	Server      backendInfo
	Policy      json.RawMessage
	Buckets     []bucketAccess
}

// bucketAccess is a bucket as who asks may see it.
type bucketAccess struct {
	Name    string    `json:"name"`
	Size    uint64    `json:"size"`
	Objects uint64    `json:"objects"`
	Created time.Time `json:"created"`
	Access  struct {
		Read  bool `json:"read"`
		Write bool `json:"write"`
	} `json:"access"`
}

// getAccountInfo tells who asks about themselves and the buckets they own; administrators see all buckets.
func getAccountInfo(rq *request) error {
	config := &rq.handler.config
	if err := rq.authorize(rq.who.Name); err != nil {
		return err
	}
	all := rq.authorize("") == nil
	buckets, err := config.Store.ListBuckets(rq.r.Context())
	if err != nil {
		return err
	}
	answer := accountInfo{
		AccountName: rq.parentName(rq.who.Name), Server: backendOf(config.Data), Buckets: []bucketAccess{},
		Policy: json.RawMessage(rq.policyOf(rq.who.Name)),
	}
	for _, b := range buckets {
		if !all && b.Owner != rq.who.Name {
			continue
		}
		account, _ := config.Store.Account(quota.BucketScope(string(b.Name)))
		shown := bucketAccess{
			Name: string(b.Name), Size: uint64(account.Usage.Bytes), Objects: current(account.Usage), Created: b.Created.UTC(),
		}
		shown.Access.Read, shown.Access.Write = true, true
		answer.Buckets = append(answer.Buckets, shown)
	}
	return rq.answer(answer)
}
