package policy_test

import (
	"fmt"

	"github.com/plimsoll/plimsoll/s3api/policy"
)

func Example() {
	bucket, err := policy.CompileBucket([]byte(`{
		"Version": "2012-10-17",
		"Statement": [{
			"Sid": "office",
			"Effect": "Allow",
			"Principal": "*",
			"Action": "s3:GetObject",
			"Resource": "arn:aws:s3:::photos/*",
			"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
		}]
	}`), "photos", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, address := range []string{"203.0.113.9", "198.51.100.1"} {
		r := policy.Request{
			Action: "s3:GetObject", Bucket: "photos", Key: "trip.mov",
			Values: func(key string) []string {
				if key == "aws:sourceip" {
					return []string{address}
				}
				return nil
			},
		}
		fmt.Println(address, policy.Evaluate(&r, bucket).Allowed)
	}
	fmt.Println(bucket.IsPublic(), bucket.Mentions("s3:ExistingObjectTag"))
	// Output:
	// 203.0.113.9 true
	// 198.51.100.1 false
	// false false
}
