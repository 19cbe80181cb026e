package policy

import "fmt"

// Error is the refusal of a document.
type Error struct {
	// Message is for the user, in S3's words (the error code there is MalformedPolicy) wherever S3 has words for it.
	Message string
	// Statement is the index of the statement that is wrong, from 0; -1 where the document as a whole is.
	Statement int
}

// Error implements error.
func (e *Error) Error() string {
	if e.Statement < 0 {
		return "policy: " + e.Message
	}
	return fmt.Sprintf("policy: statement %d: %s", e.Statement, e.Message)
}

// Messages that S3 answers with, word for word.
const (
	msgFirstByte        = "Policies must be valid JSON and the first byte must be '{'"
	msgInvalidJSON      = "This policy contains invalid Json"
	msgSyntax           = "Invalid policy syntax."
	msgVersion          = "The policy must contain a valid version string"
	msgEmptyStatement   = "Could not parse the policy: Statement is empty!"
	msgPrincipal        = "Invalid principal in policy"
	msgAction           = "Policy has invalid action"
	msgResource         = "Policy has invalid resource"
	msgActionResource   = "Action does not apply to any resource(s) in statement"
	msgConditionKey     = "Policy has an invalid condition key"
	msgConditionAction  = "Conditions do not apply to combination of actions and resources in statement"
	msgConditionAddress = "Invalid IP address in Conditions"
)

// Messages for what S3 and IAM refuse in words that are not documented.
const (
	msgTooDeep           = "The policy is nested too deeply"
	msgTooManyElements   = "The policy has too many elements"
	msgIdentityPrincipal = "Policy document should not specify a principal."
	msgVariable          = "The policy contains an invalid policy variable"
)

func malformed(format string, args ...any) *Error {
	return &Error{Message: fmt.Sprintf(format, args...), Statement: -1}
}

func missing(field string) *Error { return malformed("Missing required field %s", field) }

func both(field string) *Error { return malformed("Statement has both %s and Not%s", field, field) }
