// Package minioadmin answers MinIO's admin API, as far as it has a meaning here, so that mc, the Terraform provider and
// other programs made with madmin-go can look after a Plimsoll server. It works on the same store, users and limits as
// package admin, whose API is the one to prefer: it tells more, and is described.
//
//	/minio/admin/v3/…   the calls of madmin-go v3, which mc uses
//	/minio/admin/v4/…   the same, for madmin-go v4
//
//	quotas     get-bucket-quota, set-bucket-quota: the bucket's limit of bytes; that of objects stays
//	figures    info, storageinfo, datausageinfo, accountinfo: exact, not those of a scanner
//	users      add-user, list-users, user-info, set-user-status, remove-user
//	keys       add-, list-, info-, update-, delete-service-account(s), list-access-keys-bulk, info-access-key
//	policies   add-, list-, info-, remove-canned-policy/-ies, set-user-or-group-policy,
//	           idp/builtin/policy/attach, …/detach, idp/builtin/policy-entities
//
// All others are 501 NotImplemented, and nothing is touched: groups among them, which Plimsoll does not have.
//
// # Users and keys
//
// A user of MinIO has one secret, and their name is the access key. Here that is a user with an access key of the same
// name (iam.Login). Their other keys are what MinIO calls service accounts or access keys, which may have a policy of
// their own, beyond which they cannot be used. Root is called by the access key of the server's start; its keys are made
// and changed by root only. MinIO's bounds are kept as MinIO itself keeps them: access keys from 3 characters on, secrets
// from 8 on; the upper ones are ours.
//
// # Who may
//
// Requests are signed with SigV4 for the service "s3" and no region, as madmin-go does, or the server's region. Root may
// do everything, and whom a policy allows the call's action in MinIO's terms, such as admin:SetBucketQuota, or
// iam.AdminAction. Users may always look at themselves and their keys.
//
// Who may make users or keys, and not hand out policies, gets at the keys of others who are no administrators: not at
// those, and not at a key of their own user that is without the policy that their own is held to. A policy in add-user is
// handed out.
//
// # Bodies
//
// Bodies with secrets are sealed under the secret key of who asks, both ways: package sealed. Errors are JSON with Code,
// Message and RequestId. A Handler may be used concurrently.
package minioadmin

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/plimsoll/plimsoll/backend"
	"github.com/plimsoll/plimsoll/s3api"
	"github.com/plimsoll/plimsoll/s3api/audit"
	"github.com/plimsoll/plimsoll/s3api/control"
	"github.com/plimsoll/plimsoll/s3api/iam"
	"github.com/plimsoll/plimsoll/s3api/minioadmin/sealed"
	"github.com/plimsoll/plimsoll/s3api/sigv4"
)

// Config is what a Handler serves.
type Config struct {
	Store     *backend.Store
	Directory *iam.Directory
	// Region, Domains, Data (the directory), Version and Commit are what "info" tells of the server.
	Region                string
	Domains               []string
	Data, Version, Commit string
	// Audit records what is changed, and attempts that were denied; nil means that they are not recorded.
	Audit *audit.Log
	// Log gets what an operator should know; nil means nowhere.
	Log *slog.Logger
	// Now is the clock; time.Now where nil.
	Now func() time.Time
}

// Handler is an http.Handler for everything under s3api.MinIOAdminPrefix.
type Handler struct {
	config  Config
	started time.Time
	calls   map[string]call // by method and name
	// regional verifies scopes with the server's region, unregional those without, as madmin-go makes them.
	regional, unregional *sigv4.Verifier
}

// New returns a handler.
func New(config Config) *Handler {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	verifier := func(region string) *sigv4.Verifier {
		return s3api.NewVerifier(s3api.Config{Directory: config.Directory, Region: region, Now: config.Now})
	}
	return &Handler{
		config: config, started: config.Now(), calls: calls(),
		regional: verifier(config.Region), unregional: verifier(""),
	}
}

// call is one of the API's calls.
type call struct {
	// action is what a policy has to allow, after "admin:".
	action string
	// self says that a user may always send the call about themselves; the function finds out whom it is about.
	self  bool
	serve func(*request) error
}

func calls() map[string]call {
	return map[string]call{
		"GET get-bucket-quota": {action: "GetBucketQuota", serve: getBucketQuota},
		"PUT set-bucket-quota": {action: "SetBucketQuota", serve: setBucketQuota},

		"GET info":          {action: "ServerInfo", serve: getInfo},
		"GET storageinfo":   {action: "StorageInfo", serve: getStorageInfo},
		"GET datausageinfo": {action: "DataUsageInfo", serve: getDataUsageInfo},
		"GET accountinfo":   {action: "AccountInfo", self: true, serve: getAccountInfo},

		"PUT add-user":        {action: "CreateUser", serve: addUser},
		"GET list-users":      {action: "ListUsers", serve: listUsers},
		"GET user-info":       {action: "GetUser", self: true, serve: getUserInfo},
		"PUT set-user-status": {action: "EnableUser", serve: setUserStatus},
		"DELETE remove-user":  {action: "DeleteUser", serve: removeUser},

		"PUT add-service-account":       {action: "CreateServiceAccount", serve: addKey},
		"GET list-service-accounts":     {action: "ListServiceAccounts", self: true, serve: listKeys},
		"GET list-access-keys-bulk":     {action: "ListServiceAccounts", self: true, serve: listKeysOfUsers},
		"GET info-service-account":      {action: "ListServiceAccounts", self: true, serve: getKeyInfo},
		"GET info-access-key":           {action: "ListServiceAccounts", self: true, serve: getAccessKeyInfo},
		"GET temporary-account-info":    {action: "ListTemporaryAccounts", serve: getTemporaryKey},
		"POST update-service-account":   {action: "UpdateServiceAccount", serve: updateKey},
		"DELETE delete-service-account": {action: "RemoveServiceAccount", serve: deleteKey},

		"PUT add-canned-policy":           {action: "CreatePolicy", serve: addPolicy},
		"GET list-canned-policies":        {action: "ListUserPolicies", serve: listPolicies},
		"GET info-canned-policy":          {action: "GetPolicy", serve: getPolicy},
		"DELETE remove-canned-policy":     {action: "DeletePolicy", serve: removePolicy},
		"PUT set-user-or-group-policy":    {action: "AttachUserOrGroupPolicy", serve: setPolicies},
		"POST idp/builtin/policy/attach":  {action: "UpdatePolicyAssociation", serve: attachPolicies},
		"POST idp/builtin/policy/detach":  {action: "UpdatePolicyAssociation", serve: detachPolicies},
		"GET idp/builtin/policy-entities": {action: "ListUserPolicies", serve: getPolicyEntities},
		"GET groups":                      {action: "ListGroups", serve: noGroups},
		"GET group":                       {action: "GetGroup", serve: noGroups},
		"PUT update-group-members":        {action: "AddUserToGroup", serve: noGroups},
		"PUT set-group-status":            {action: "EnableGroup", serve: noGroups},
	}
}

// request is one request on its way.
type request struct {
	handler *Handler
	w       http.ResponseWriter
	r       *http.Request
	id      string
	who     *iam.Identity
	secret  string // of the access key, under which bodies are sealed
	payload []byte // the hash of the body that is signed
	body    []byte // held to payload
	call    call
	reply   reply
	// before and after are what the call has changed, for the audit log; nil where it says no more than its name.
	before, after any
}

// reply is an answer that is ready to be sent: when all that the call does is done.
type reply struct {
	status      int
	contentType string // empty where there is no body
	body        []byte
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rq := &request{handler: h, w: w, r: r, id: control.NewID()}
	defer control.Begin(w, rq.id)()
	if err := rq.serve(); err != nil {
		rq.fail(err)
	}
	control.Send(w, rq.reply.status, rq.reply.contentType, rq.reply.body)
}

func (rq *request) serve() error {
	// Before anything is said of what exists.
	if err := rq.authenticate(); err != nil {
		rq.recordDenial(err)
		return err
	}
	version, name, _ := strings.Cut(strings.TrimPrefix(rq.r.URL.Path, s3api.MinIOAdminPrefix), "/")
	var known bool
	if rq.call, known = rq.handler.calls[rq.r.Method+" "+name]; !known || (version != "3" && version != "4") {
		if !rq.administers() {
			return errDenied
		}
		return failure("NotImplemented", http.StatusNotImplemented,
			"Plimsoll does not have "+rq.r.Method+" "+rq.r.URL.Path+" of MinIO's admin API.")
	}
	if !rq.call.self {
		if err := rq.authorize(""); err != nil {
			rq.recordDenial(err)
			return err
		}
	}
	body, err := control.ReadSigned(rq.w, rq.r, rq.payload)
	if err != nil {
		return err
	}
	rq.body = body
	err = rq.recorded()
	if rq.call.self && errors.Is(err, errDenied) { // it was found out whom the call is about
		rq.recordDenial(err)
	}
	return err
}

// query returns a parameter of the request.
func (rq *request) query(name string) string { return rq.r.URL.Query().Get(name) }

// decode reads a JSON body. Fields that are not known are left: newer clients have more.
func decode[T any](body []byte) (T, error) {
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		return v, failure("XMinioAdminConfigBadJSON", http.StatusBadRequest,
			"The body is not the JSON that this call takes: "+err.Error()+".")
	}
	return v, nil
}

// decodeSealed reads a JSON body that is sealed.
func decodeSealed[T any](rq *request) (T, error) {
	text, err := sealed.Open(rq.secret, rq.body)
	if err != nil {
		var none T
		return none, failure("XMinioAdminConfigBadJSON", http.StatusBadRequest, control.Sentence(err))
	}
	return decode[T](text)
}

// answer answers with a document.
func (rq *request) answer(document any) error {
	rq.reply = reply{http.StatusOK, "application/json", marshal(document)}
	return nil
}

// answerSealed answers with a document that only who asks can read.
func (rq *request) answerSealed(document any) error {
	rq.reply = reply{http.StatusOK, "application/octet-stream", sealed.Seal(rq.secret, marshal(document))}
	return nil
}

// done answers that it was done.
func (rq *request) done(status int) error {
	rq.reply = reply{status: status}
	return nil
}

func marshal(document any) []byte {
	raw, err := json.Marshal(document)
	if err != nil {
		panic(err) // documents are of text, numbers, times, and JSON that was read before
	}
	return raw
}
