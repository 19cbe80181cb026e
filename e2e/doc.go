// Package e2e runs the real plimsoll binary and real S3 clients against each other: aws-sdk-go-v2, the AWS CLI, boto3,
// the AWS SDK for JavaScript, mc, rclone, s3cmd, s3fs and restic, and raw connections for what no client would send.
// Each test has a server of its own on a free port with a data directory of its own, and ends with the same verdict: no
// reservation is left, the server stops at SIGTERM with exit code 0, and "plimsoll check" finds nothing wrong.
//
// A client that is not installed skips its test and says so; with PLIMSOLL_REQUIRE_CLIENTS=1, as in continuous
// integration, it fails instead. PLIMSOLL_BIG=1 adds what needs 10 GiB of disk.
//
// The package also holds what is true of the tree as a whole: who may import whom, and what lies at the top level.
package e2e
