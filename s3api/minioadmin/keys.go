package minioadmin

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/s3api/iam"
)

// What MinIO calls the states of a service account.
const (
	on  = "on"
	off = "off"
)

const maxDescriptionBytes = 256

// keyName is what MinIO takes as the name of a service account.
var keyName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_-]{0,31}$`)

// keyInfo is a service account: an access key of a user beside the one that has the user's name.
type keyInfo struct {
	ParentUser    string    `json:"parentUser"`
	AccountStatus string    `json:"accountStatus"`
	ImpliedPolicy bool      `json:"impliedPolicy"` // the user's, that is: none of its own
	AccessKey     string    `json:"accessKey,omitempty"`
	Name          string    `json:"name,omitempty"`
	Description   string    `json:"description,omitempty"`
	Expiration    time.Time `json:"expiration"`
}

func (rq *request) keyInfo(k iam.Key) keyInfo {
	info := keyInfo{
		ParentUser: rq.parentName(k.User), AccountStatus: off, ImpliedPolicy: k.Policy == "", AccessKey: k.ID,
		Name: k.Name, Description: k.Description, Expiration: expiration(k),
	}
	if k.Enabled {
		info.AccountStatus = on
	}
	return info
}

// parentName is a user's name as MinIO has it: root is its access key.
func (rq *request) parentName(user string) string {
	if user == iam.RootName {
		return rq.handler.config.Directory.RootKey()
	}
	return user
}

// userName is a user's name as we have it.
func (rq *request) userName(parent string) string {
	if parent == rq.handler.config.Directory.RootKey() {
		return iam.RootName
	}
	return parent
}

// isLogin reports whether an access key is the one that MinIO takes for the user.
func isLogin(k iam.Key) bool { return k.ID == k.User && k.User != iam.RootName }

// serviceAccount returns the access key that the request names, unless it is one that has the user's name.
func (rq *request) serviceAccount() (iam.Key, error) {
	k, err := rq.handler.config.Directory.Key(rq.query("accessKey"))
	if err == nil && isLogin(k) {
		err = iam.ErrNoSuchKey
	}
	return k, err
}

// keysOf returns the service accounts of a user, by access key.
func (rq *request) keysOf(user string) []keyInfo {
	infos := []keyInfo{}
	for _, k := range rq.handler.config.Directory.Keys(user) {
		if !isLogin(k) {
			infos = append(infos, rq.keyInfo(k))
		}
	}
	return infos
}

// newKey is the body of add-service-account.
type newKey struct {
	Policy      json.RawMessage `json:"policy"`
	TargetUser  string          `json:"targetUser"`
	AccessKey   string          `json:"accessKey"`
	SecretKey   string          `json:"secretKey"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Comment     string          `json:"comment"` // what Description was once
	Expiration  *time.Time      `json:"expiration"`
}

// credentials is a key with its secret.
type credentials struct {
	AccessKey  string    `json:"accessKey"`
	SecretKey  string    `json:"secretKey"`
	Expiration time.Time `json:"expiration"`
}

func addKey(rq *request) error {
	body, err := decodeSealed[newKey](rq)
	if err != nil {
		return err
	}
	if body.Description == "" {
		body.Description = body.Comment
	}
	user := rq.who.Name
	if body.TargetUser != "" {
		user = rq.userName(body.TargetUser)
	}
	if err := rq.mayHoldKey(user); err != nil {
		return err
	}
	if err := checkLabels(body.Name, body.Description); err != nil {
		return err
	}
	// It would be in the way of the user's own.
	if _, err := rq.handler.config.Directory.User(body.AccessKey); err == nil {
		return iam.ErrKeyExists
	}
	k, secret, err := rq.handler.config.Directory.CreateKey(rq.r.Context(), iam.NewKey{
		User: user, ID: body.AccessKey, Secret: body.SecretKey, Name: body.Name, Description: body.Description,
		Expires: expiry(body.Expiration), Policy: ownPolicy(body.Policy), OfRoot: true,
	})
	if err != nil {
		return err
	}
	return rq.answerSealed(map[string]credentials{
		"credentials": {AccessKey: k.ID, SecretKey: secret, Expiration: expiration(k)},
	})
}

func checkLabels(name, description string) error {
	if name != "" && !keyName.MatchString(name) {
		return invalid("A name is a letter and up to 31 letters, digits, hyphens and underscores.")
	}
	if len(description) > maxDescriptionBytes {
		return invalid("A description has at most 256 bytes.")
	}
	return nil
}

// never is how both sides say that a key does not expire. Some mc commands fall over where they are told nothing.
var never = time.Unix(0, 0).UTC()

func expiration(k iam.Key) time.Time {
	if k.Expires.IsZero() {
		return never
	}
	return k.Expires
}

// expiry is when a key ends; zero means never.
func expiry(t *time.Time) time.Time {
	if t == nil || t.Equal(never) {
		return time.Time{}
	}
	return *t
}

// ownPolicy is the policy that a key has of its own. A document without version and statements is how clients say that
// it has none.
func ownPolicy(document json.RawMessage) string {
	var members struct {
		Version   string
		Statement json.RawMessage
	}
	if err := json.Unmarshal(document, &members); err == nil && members.Version == "" && isEmpty(members.Statement) {
		return ""
	}
	return string(document)
}

func isEmpty(value json.RawMessage) bool {
	return slices.Contains([]string{"", "null", "[]"}, string(value))
}

func listKeys(rq *request) error {
	user := rq.who.Name
	if named := rq.query("user"); named != "" {
		user = rq.userName(named)
	}
	if err := rq.authorize(user); err != nil {
		return err
	}
	if user != iam.RootName {
		if _, err := rq.handler.config.Directory.User(user); err != nil {
			return err
		}
	}
	return rq.answerSealed(map[string][]keyInfo{"accounts": rq.keysOf(user)})
}

// keysOfUser are the keys of a user in list-access-keys-bulk. There are no temporary ones.
type keysOfUser struct {
	ServiceAccounts []keyInfo `json:"serviceAccounts"`
	STSKeys         []keyInfo `json:"stsKeys"`
}

// listKeysOfUsers lists the keys of the users that are named, of all, or of who asks.
func listKeysOfUsers(rq *request) error {
	users, err := rq.usersToList()
	if err != nil {
		return err
	}
	kind := rq.query("listType")
	if !slices.Contains([]string{"", "all", "users-only", "sts-only", "svcacc-only"}, kind) {
		return invalid("listType is all, users-only, sts-only or svcacc-only.")
	}
	answer := make(map[string]keysOfUser, len(users))
	for _, user := range users {
		listed := keysOfUser{ServiceAccounts: []keyInfo{}, STSKeys: []keyInfo{}}
		if kind != "users-only" && kind != "sts-only" {
			listed.ServiceAccounts = rq.keysOf(user)
		}
		if kind == "sts-only" || (kind == "svcacc-only" && len(listed.ServiceAccounts) == 0) {
			continue
		}
		answer[rq.parentName(user)] = listed
	}
	return rq.answerSealed(answer)
}

func (rq *request) usersToList() ([]string, error) {
	query := rq.r.URL.Query()
	if query.Get("all") == "true" {
		if err := rq.authorize(""); err != nil {
			return nil, err
		}
		users := []string{iam.RootName}
		for _, u := range rq.handler.config.Directory.Users() {
			users = append(users, u.Name)
		}
		return users, nil
	}
	users := []string{rq.who.Name}
	if named := query["users"]; len(named) > 0 {
		users = nil
		for _, name := range named {
			users = append(users, rq.userName(name))
		}
		slices.Sort(users)
		users = slices.Compact(users) // a name that is given often is not looked for often
	}
	for _, user := range users {
		if err := rq.authorize(user); err != nil {
			return nil, err
		}
		if user == iam.RootName {
			continue
		}
		if _, err := rq.handler.config.Directory.User(user); err != nil {
			return nil, err
		}
	}
	return users, nil
}

// keyPolicy is keyInfo with the document that says what the key may be used for.
type keyPolicy struct {
	keyInfo
	Policy string `json:"policy"`
}

func (rq *request) keyPolicy() (keyPolicy, error) {
	k, err := rq.serviceAccount()
	if err != nil {
		// Who may not look at others' keys is told the same of those that are there.
		if rq.authorize("") != nil {
			err = errDenied
		}
		return keyPolicy{}, err
	}
	if err := rq.authorize(k.User); err != nil {
		return keyPolicy{}, err
	}
	info := keyPolicy{keyInfo: rq.keyInfo(k), Policy: k.Policy}
	if k.Policy == "" {
		info.Policy = rq.policyOf(k.User)
	}
	return info, nil
}

func getKeyInfo(rq *request) error {
	info, err := rq.keyPolicy()
	if err != nil {
		return err
	}
	return rq.answerSealed(info)
}

// getAccessKeyInfo answers the call by which newer clients ask for a key of any kind.
func getAccessKeyInfo(rq *request) error {
	info, err := rq.keyPolicy()
	if err != nil {
		return err
	}
	return rq.answerSealed(struct {
		keyPolicy
		UserType     string `json:"userType"`
		UserProvider string `json:"userProvider"`
	}{info, "Service Account", "builtin"})
}

// getTemporaryKey says that there is no such key: none are temporary.
func getTemporaryKey(*request) error { return iam.ErrNoSuchKey }

// keySettings is the body of update-service-account. What is left out stays.
type keySettings struct {
	NewPolicy      json.RawMessage `json:"newPolicy"`
	NewSecretKey   string          `json:"newSecretKey"`
	NewStatus      string          `json:"newStatus"`
	NewName        string          `json:"newName"`
	NewDescription string          `json:"newDescription"`
	NewExpiration  *time.Time      `json:"newExpiration"`
}

func updateKey(rq *request) error {
	body, err := decodeSealed[keySettings](rq)
	if err != nil {
		return err
	}
	if err := checkLabels(body.NewName, body.NewDescription); err != nil {
		return err
	}
	k, err := rq.serviceAccount()
	if err != nil {
		return err
	}
	_, err = rq.handler.config.Directory.ChangeKey(rq.r.Context(), k.ID, body.NewSecretKey, func(k *iam.Key) error {
		if err := rq.mayHoldKey(k.User); err != nil {
			return err
		}
		return body.apply(k)
	})
	if err != nil {
		return err
	}
	return rq.done(http.StatusNoContent)
}

// apply changes what the body has.
func (s *keySettings) apply(k *iam.Key) error {
	switch s.NewStatus {
	case "":
	case on, enabled:
		k.Enabled = true
	case off, disabled:
		k.Enabled = false
	default:
		return invalid("A status is on or off.")
	}
	if s.NewName != "" {
		k.Name = s.NewName
	}
	if s.NewDescription != "" {
		k.Description = s.NewDescription
	}
	if s.NewExpiration != nil {
		k.Expires = expiry(s.NewExpiration)
	}
	if len(s.NewPolicy) > 0 && string(s.NewPolicy) != "null" {
		k.Policy = ownPolicy(s.NewPolicy)
	}
	return nil
}

func deleteKey(rq *request) error {
	k, err := rq.serviceAccount()
	if err != nil {
		return err
	}
	err = rq.handler.config.Directory.DeleteKey(rq.r.Context(), k.ID, func(k iam.Key) error { return rq.ofRoot(k.User) })
	if err != nil {
		return err
	}
	return rq.done(http.StatusNoContent)
}
