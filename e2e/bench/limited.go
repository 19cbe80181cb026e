package main

import (
	"context"
	"fmt"
	"os/exec"
)

const (
	// limitedName is the peer that is Plimsoll with limits.
	limitedName = "limited"
	// limitedOuter and limitedInner together begin all keys where there is that peer; both have limits.
	limitedOuter = "limited/"
	limitedInner = "inner/"
)

// limitedSpec is Plimsoll with limits.
func limitedSpec(plimsoll spec) spec {
	plimsoll.name, plimsoll.limited = limitedName, true
	return plimsoll
}

// limit makes a bucket and gives all scopes limits of bytes and of objects that nothing reaches.
func limit(ctx context.Context, s *server, bucket string) error {
	if err := createBucket(s, bucket); err != nil {
		return err
	}
	for _, scope := range [][]string{
		{"--server"},
		{"--user", "root"},
		{bucket},
		{bucket, "--prefix", limitedOuter},
		{bucket, "--prefix", limitedOuter + limitedInner},
	} {
		args := append([]string{"quota", "set"}, scope...)
		args = append(args, "--max-bytes", "1PiB", "--max-objects", "1000000000000", "--endpoint", "http://"+s.address,
			"--access-key", accessKey, "--secret-key", secretKey, "--region", region)
		command := exec.CommandContext(ctx, s.binary, args...)
		command.Env = s.command.Env
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("limit %v: %w\n%s", scope, err, out)
		}
	}
	return nil
}
