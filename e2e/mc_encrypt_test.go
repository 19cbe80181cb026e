package e2e

import (
	"encoding/base64"
	"testing"
)

func TestMCEncryption(t *testing.T) {
	t.Parallel()
	s := start(t)
	mc := s.mc()
	small := random(1, 10_000)
	mc.file("small", small)
	mc.run("mb", "plimsoll/sealed")
	mc.run(words("encrypt set sse-s3 plimsoll/sealed")...)
	mc.want(words("encrypt info plimsoll/sealed"), "sse-s3")
	mc.run("cp", "small", "plimsoll/sealed/by-default")
	mc.want(words("stat plimsoll/sealed/by-default"), "SSE-S3")
	mc.run("cp", "plimsoll/sealed/by-default", "back")
	mc.same("back", small)
	mc.run(words("encrypt clear plimsoll/sealed")...)
	mc.refused("The server side encryption configuration was not found", "encrypt", "info", "plimsoll/sealed")
	mc.run("cp", "--enc-s3", "plimsoll/sealed/asked", "small", "plimsoll/sealed/asked")
	mc.want(words("stat plimsoll/sealed/asked"), "SSE-S3")
}

// TestMCCustomerKeys: SSE-C, which clients send over https only.
func TestMCCustomerKeys(t *testing.T) {
	t.Parallel()
	s, _ := startTLS(t)
	mc := s.client("mc")
	mc.args = []string{"--config-dir", t.TempDir(), "--disable-pager", "--insecure"}
	mc.run("alias", "set", "plimsoll", s.endpoint, accessKey, secretKey)
	small, big := random(1, 10_000), random(2, 17*mib) // above 16 MiB in parts
	mc.file("small", small)
	mc.file("big", big)
	key := func(seed uint64) string {
		return "plimsoll/sealed/=" + base64.RawStdEncoding.EncodeToString(random(seed, 32))
	}
	mc.run("mb", "plimsoll/sealed")
	mc.run("cp", "--enc-c", key(3), "small", "big", "plimsoll/sealed/")
	for name, data := range map[string][]byte{"small": small, "big": big} {
		mc.run("cp", "--enc-c", key(3), "plimsoll/sealed/"+name, "back-"+name)
		mc.same("back-"+name, data)
		mc.refused("", "cp", "--enc-c", key(4), "plimsoll/sealed/"+name, "other")
		mc.refused("", "cp", "plimsoll/sealed/"+name, "other")
	}
}
