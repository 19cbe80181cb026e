// Package policy reads and evaluates S3 bucket policies and IAM identity policies: the JSON documents that say who may
// do what with which bucket and object, and when. It is pure: no HTTP, no I/O, no clock, no locks, only the standard
// library. What a request looks like, the time included, comes in a Request.
//
// A document is compiled once and evaluated many times:
//
//	document ─ CompileBucket, CompileIdentity ─> *Policy ─┐
//	                                             Request ─┴─ Evaluate ─> Decision
//
// Invariants:
//   - A document that compiles is understood in full: unknown elements, duplicate keys, wrong types, unknown condition
//     operators and, in a bucket policy, unknown actions and condition keys are refused. Nothing is skipped.
//   - A statement that matches and denies wins over every statement that allows; adding a statement that allows never
//     takes anything away. Evaluate has the two exceptions from "no unless allowed": the root and administrators.
//   - Text that a request brings (a user's name, a prefix, a tag) is never read as a wildcard, wherever a policy puts
//     it.
//   - The work of an evaluation is bounded by the size of the policy times that of the values compared with it: there
//     is no backtracking over more than one wildcard.
//
// Every statement is evaluated in this order: who (Principal), what (Action), where (Resource), when (Condition).
// Values of condition keys are asked for last, and only those that a statement in question names; Policy.Mentions tells
// whether a costly one will be asked for at all.
//
// Where AWS and other stores differ, AWS's documentation is followed. Three things go beyond it: a bucket policy's
// Principal may be an array; names that are no ARNs are principals where the caller's Resolver knows them; and an
// identity policy may name actions and condition keys of any service, for it is also what guards our own interfaces.
//
// Errors are *Error, with S3's own message where S3 has one. A *Policy never changes after it was compiled, so
// everything may be called concurrently.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
package policy
