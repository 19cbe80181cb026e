package minioadmin

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/policy"
)

// document returns a policy, stored or canned.
func (rq *request) document(name string) (iam.Policy, error) {
	if text, canned := policy.Canned(name); canned {
		return iam.Policy{Name: name, Document: text}, nil
	}
	return rq.handler.config.Directory.Policy(name)
}

// policyOf returns what a user's policies say together, as one document.
func (rq *request) policyOf(user string) string {
	attached := []string{"consoleAdmin"} // what root may do
	if user != iam.RootName {
		u, err := rq.handler.config.Directory.User(user)
		if err != nil {
			return joined(nil)
		}
		attached = u.Policies
	}
	var documents []string
	for _, name := range attached {
		if p, err := rq.document(name); err == nil {
			documents = append(documents, p.Document)
		}
	}
	if len(documents) == 1 {
		return documents[0]
	}
	return joined(documents)
}

// joined is one document with the statements of all.
func joined(documents []string) string {
	all := struct {
		Version   string
		Statement []json.RawMessage
	}{"2012-10-17", []json.RawMessage{}}
	for _, document := range documents {
		var p struct{ Statement json.RawMessage }
		if json.Unmarshal([]byte(document), &p) != nil {
			continue // what is stored was compiled before
		}
		var several []json.RawMessage
		if json.Unmarshal(p.Statement, &several) != nil {
			several = []json.RawMessage{p.Statement} // one, without brackets
		}
		all.Statement = append(all.Statement, several...)
	}
	return string(marshal(all))
}

func addPolicy(rq *request) error {
	_, err := rq.handler.config.Directory.PutPolicy(rq.r.Context(), rq.query("name"), string(rq.body))
	if errors.Is(err, iam.ErrReserved) {
		return invalid("A policy of this name comes with the server and cannot be changed.")
	}
	if err != nil {
		return err
	}
	return rq.done(http.StatusOK)
}

func listPolicies(rq *request) error {
	all := make(map[string]json.RawMessage)
	for _, p := range rq.handler.config.Directory.Policies() {
		all[p.Name] = json.RawMessage(p.Document)
	}
	for _, name := range policy.CannedNames() {
		text, _ := policy.Canned(name)
		all[name] = json.RawMessage(text)
	}
	return rq.answer(all)
}

// policyInfo is a policy in the second form of info-canned-policy; its fields have Go's names.
type policyInfo struct {
	PolicyName string
	Policy     json.RawMessage
	CreateDate time.Time `json:",omitzero"`
	UpdateDate time.Time `json:",omitzero"`
}

func getPolicy(rq *request) error {
	p, err := rq.document(rq.query("name"))
	if err != nil {
		return err
	}
	if rq.query("v") != "2" {
		return rq.answer(json.RawMessage(p.Document))
	}
	return rq.answer(policyInfo{
		PolicyName: p.Name, Policy: json.RawMessage(p.Document), CreateDate: p.Updated, UpdateDate: p.Updated,
	})
}

func removePolicy(rq *request) error {
	err := rq.handler.config.Directory.DeletePolicy(rq.r.Context(), rq.query("name"))
	if errors.Is(err, iam.ErrReserved) {
		return invalid("A policy of this name comes with the server and cannot be removed.")
	}
	if err != nil {
		return err
	}
	return rq.done(http.StatusOK)
}

// setPolicies replaces the policies of a user.
func setPolicies(rq *request) error {
	if rq.query("isGroup") == "true" {
		return noGroups(rq)
	}
	_, err := rq.handler.config.Directory.ChangeUser(rq.r.Context(), rq.query("userOrGroup"), func(u *iam.User) error {
		u.Policies = names(rq.query("policyName"))
		return nil
	})
	if err != nil {
		return err
	}
	return rq.done(http.StatusOK)
}

// association is the body of attach and detach.
type association struct {
	Policies []string `json:"policies"`
	User     string   `json:"user"`
	Group    string   `json:"group"`
}

// associated is the answer: what was changed.
type associated struct {
	PoliciesAttached []string  `json:"policiesAttached,omitempty"`
	PoliciesDetached []string  `json:"policiesDetached,omitempty"`
	UpdatedAt        time.Time `json:"updatedAt"`
}

func attachPolicies(rq *request) error {
	added, err := rq.associate(func(u *iam.User, asked []string) []string {
		added := slices.DeleteFunc(asked, func(name string) bool { return slices.Contains(u.Policies, name) })
		u.Policies = append(u.Policies, added...)
		return added
	})
	if err != nil {
		return err
	}
	return rq.answerSealed(associated{PoliciesAttached: added, UpdatedAt: rq.handler.config.Now().UTC()})
}

func detachPolicies(rq *request) error {
	taken, err := rq.associate(func(u *iam.User, asked []string) []string {
		taken := slices.DeleteFunc(asked, func(name string) bool { return !slices.Contains(u.Policies, name) })
		u.Policies = slices.DeleteFunc(u.Policies, func(name string) bool { return slices.Contains(taken, name) })
		return taken
	})
	if err != nil {
		return err
	}
	return rq.answerSealed(associated{PoliciesDetached: taken, UpdatedAt: rq.handler.config.Now().UTC()})
}

// associate changes the policies of the user that the body names. edit returns which of those that are asked for made a
// difference.
func (rq *request) associate(edit func(u *iam.User, asked []string) []string) ([]string, error) {
	body, err := decodeSealed[association](rq)
	switch {
	case err != nil:
		return nil, err
	case body.Group != "":
		return nil, errNoGroups
	case len(body.Policies) == 0 || body.User == "":
		return nil, invalid("A user and at least one policy are needed.")
	}
	for _, name := range body.Policies {
		if _, err := rq.document(name); err != nil {
			return nil, err
		}
	}
	slices.Sort(body.Policies)
	asked := slices.Compact(body.Policies)
	var changed []string
	_, err = rq.handler.config.Directory.ChangeUser(rq.r.Context(), body.User, func(u *iam.User) error {
		if changed = edit(u, asked); len(changed) == 0 {
			return failure("XMinioAdminPolicyChangeAlreadyApplied", http.StatusBadRequest,
				"The specified policy change is already in effect.")
		}
		return nil
	})
	return changed, err
}

// policyEntities is the answer to policy-entities: who has which policies, both ways.
type policyEntities struct {
	Timestamp      time.Time       `json:"timestamp"`
	UserMappings   []userPolicies  `json:"userMappings,omitempty"`
	PolicyMappings []policyMembers `json:"policyMappings,omitempty"`
}

type userPolicies struct {
	User     string   `json:"user"`
	Policies []string `json:"policies"`
}

type policyMembers struct {
	Policy string   `json:"policy"`
	Users  []string `json:"users"`
	Groups []string `json:"groups"`
}

// getPolicyEntities tells of the users and policies that are named, or of all where none are.
func getPolicyEntities(rq *request) error {
	query := rq.r.URL.Query()
	users, policies := query["user"], query["policy"]
	all := len(users) == 0 && len(policies) == 0 && len(query["group"]) == 0
	directory := rq.handler.config.Directory
	answer := policyEntities{Timestamp: rq.handler.config.Now().UTC()}
	for _, u := range directory.Users() {
		if slices.Contains(users, u.Name) || (all && len(u.Policies) > 0) {
			answer.UserMappings = append(answer.UserMappings, userPolicies{u.Name, append([]string{}, u.Policies...)})
		}
	}
	known := policy.CannedNames()
	for _, p := range directory.Policies() {
		known = append(known, p.Name)
	}
	slices.Sort(known)
	for _, name := range known {
		members := directory.AttachedTo(name)
		if slices.Contains(policies, name) || (all && len(members) > 0) {
			answer.PolicyMappings = append(answer.PolicyMappings, policyMembers{name, append([]string{}, members...), []string{}})
		}
	}
	return rq.answerSealed(answer)
}

var errNoGroups = failure("NotImplemented", http.StatusNotImplemented,
	"Plimsoll has no groups of users: attach policies to the users themselves.")

func noGroups(*request) error { return errNoGroups }
