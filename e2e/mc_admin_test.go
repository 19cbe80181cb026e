package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// as gives mc an alias for another access key.
func (c *tool) as(s *server, alias, key, secret string) {
	c.env = append(c.env, "MC_HOST_"+alias+"=http://"+key+":"+secret+"@"+s.address)
}

func TestMCQuota(t *testing.T) {
	t.Parallel()
	s := start(t)
	mc := s.mc()
	mc.file("small", random(1, 600_000))
	mc.run("mb", "plimsoll/photos")
	s.cli("quota", "set", "photos", "--max-objects", "9")

	mc.want(words("quota set plimsoll/photos --size 1MiB"), "Successfully set bucket quota of 1.0 MiB")
	mc.want(words("quota info plimsoll/photos"), "hard quota of 1.0 MiB")
	mc.want(words("quota info --json plimsoll/photos"), `"quota":1048576`, `"type":"hard"`)
	if out := s.cli("quota", "get", "photos"); !strings.Contains(out, "1.0 MiB") || !strings.Contains(out, "9 objects") {
		t.Errorf("quota get: %s", out)
	}
	mc.run("cp", "small", "plimsoll/photos/a")
	mc.refused("has a limit of 1.0 MiB", words("cp small plimsoll/photos/b")...)

	mc.want(words("quota clear plimsoll/photos"), "Successfully cleared")
	mc.want(words("quota info plimsoll/photos"), "quota of 0 B")
	mc.run("cp", "small", "plimsoll/photos/b")
	if out := s.cli("quota", "get", "photos"); !strings.Contains(out, "9 objects") {
		t.Errorf("quota get after clear: %s", out)
	}
	for _, command := range []string{"quota info plimsoll/gone", "quota set plimsoll/gone --size 1MiB", "quota clear plimsoll/gone"} {
		mc.refused("does not exist", words(command)...)
	}
	mc.as(s, "stranger", "nobody-here", "not-a-secret")
	mc.refused("does not exist in our records", words("quota info stranger/photos")...)
}

func TestMCAdminInfo(t *testing.T) {
	t.Parallel()
	s := start(t)
	mc := s.mc()
	mc.file("one", random(1, 1000))
	mc.run("mb", "plimsoll/photos")
	mc.run("version", "enable", "plimsoll/photos")
	mc.run("cp", "one", "plimsoll/photos/raw/a")
	mc.run("cp", "one", "plimsoll/photos/raw/a")
	mc.run("cp", "one", "plimsoll/photos/b")
	mc.run("rm", "plimsoll/photos/b")

	mc.want(words("admin info plimsoll"), s.address, "Plimsoll", "Drives: 1/1 OK", "1 Bucket", "1 Object", "1 drive online")
	var message struct {
		Info struct {
			Mode                                      string
			Buckets, Objects, Versions, DeleteMarkers struct{ Count int }
			Usage                                     struct{ Size int }
			Servers                                   []struct {
				Drives []struct {
					Path                  string
					TotalSpace, UsedSpace int64
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(mc.run("admin", "info", "--json", "plimsoll")), &message); err != nil {
		t.Fatal(err)
	}
	info := message.Info
	if info.Mode != "online" || info.Buckets.Count != 1 || info.Objects.Count != 1 || info.Versions.Count != 3 ||
		info.DeleteMarkers.Count != 1 || info.Usage.Size != 3000 {
		t.Errorf("info: %+v", info)
	}
	if drive := info.Servers[0].Drives[0]; drive.Path != s.data || drive.TotalSpace <= 0 || drive.UsedSpace <= 0 {
		t.Errorf("drive: %+v", drive)
	}
	mc.want(words("stat plimsoll/photos"), "Total size: 2.9 KiB", "Objects count: 1", "Versions count: 3")
	mc.want(words("du plimsoll/photos"), "1000B", "1 object", "photos")
	mc.want(words("du --versions plimsoll/photos"), "2.9KiB", "photos")
}

const uploadsPolicy = `{"Version":"2012-10-17","Statement":[
	{"Effect":"Allow","Action":["s3:PutObject","s3:GetObject"],"Resource":["arn:aws:s3:::photos/raw/*"]},
	{"Effect":"Allow","Action":["s3:GetBucketLocation"],"Resource":["arn:aws:s3:::photos"]}]}`

func TestMCAdminUsers(t *testing.T) {
	t.Parallel()
	s := start(t)
	mc := s.mc()
	mc.file("uploads.json", []byte(uploadsPolicy))
	mc.file("one", []byte("one"))
	mc.run("mb", "plimsoll/photos")

	mc.want(words("admin user add plimsoll alice alices-secret"), "Added user `alice`")
	mc.want(words("admin user list plimsoll"), "enabled", "alice")
	mc.as(s, "alice", "alice", "alices-secret")
	mc.refused("Insufficient permissions", words("cp one alice/photos/raw/one")...)

	mc.want(words("admin policy create plimsoll uploads uploads.json"), "Created policy `uploads`")
	mc.want(words("admin policy list plimsoll"), "uploads", "readwrite", "consoleAdmin")
	mc.want(words("admin policy info plimsoll uploads"), "s3:PutObject", "photos/raw/*", "UpdateDate")
	mc.want(words("admin policy attach plimsoll uploads --user alice"), "Attached Policies: [uploads]")
	mc.want(words("admin policy entities plimsoll --user alice"), "alice", "uploads")
	mc.want(words("admin user info plimsoll alice"), "Status: enabled", "PolicyName: uploads")
	mc.want(words("admin user policy plimsoll alice"), "photos/raw/*")

	mc.run("cp", "one", "alice/photos/raw/one")
	mc.refused("Insufficient permissions", words("cp one alice/photos/other")...)
	mc.refused("Access Denied", words("admin user list alice")...)
	mc.refused("Access Denied", words("quota set alice/photos --size 1GiB")...)

	mc.want(words("admin user disable plimsoll alice"), "Disabled user `alice`")
	mc.want(words("admin user list plimsoll"), "disabled", "alice", "uploads")
	mc.refused("Insufficient permissions", words("cat alice/photos/raw/one")...)
	mc.want(words("admin user enable plimsoll alice"), "Enabled user `alice`")
	mc.run("cat", "alice/photos/raw/one")
	// Added again, a user has another secret and the same policies.
	mc.run("admin", "user", "add", "plimsoll", "alice", "another-secret")
	mc.refused("Insufficient permissions", words("cat alice/photos/raw/one")...)
	mc.as(s, "alice", "alice", "another-secret")
	mc.run("cat", "alice/photos/raw/one")
	if out := s.cli("user", "show", "alice"); !strings.Contains(out, "uploads") || strings.Contains(out, "another-secret") {
		t.Errorf("user show: %s", out)
	}

	mc.refused("in use", words("admin policy rm plimsoll uploads")...)
	mc.want(words("admin policy detach plimsoll uploads --user alice"), "Detached Policies: [uploads]")
	mc.refused("Insufficient permissions", words("cat alice/photos/raw/one")...)
	mc.want(words("admin policy rm plimsoll uploads"), "Removed policy `uploads`")
	mc.refused("does not exist", words("admin policy info plimsoll uploads")...)
	mc.want(words("admin user remove plimsoll alice"), "Removed user `alice`")
	mc.refused("does not exist", words("admin user info plimsoll alice")...)
	mc.refused("Insufficient permissions", words("cat alice/photos/raw/one")...)
	mc.refused("no groups", words("admin group ls plimsoll")...)
	mc.refused("does not have", words("admin config get plimsoll region")...)
}

func TestMCAdminAccessKeys(t *testing.T) {
	t.Parallel()
	s := start(t)
	mc := s.mc()
	mc.file("uploads.json", []byte(uploadsPolicy))
	mc.file("one", []byte("one"))
	mc.run("mb", "plimsoll/photos")
	mc.run("admin", "user", "add", "plimsoll", "alice", "alices-secret")
	mc.run("admin", "policy", "attach", "plimsoll", "readwrite", "--user", "alice")

	mc.want(words("admin accesskey create plimsoll alice --access-key laptop --secret-key laptop-secret --name backup "+
		"--description nightly --expiry-duration 24h"), "Access Key: laptop", "Secret Key: laptop-secret", "Name: backup")
	mc.want(words("admin accesskey list plimsoll"), "User: alice", "laptop", "expires: 23 hours from now")
	mc.want(words("admin accesskey info plimsoll laptop"), "Parent User: alice", "Status: enabled", "Policy: implied", "nightly")
	mc.as(s, "laptop", "laptop", "laptop-secret")
	mc.run("cp", "one", "laptop/photos/one")
	mc.want(words("admin accesskey ls laptop"), "User: alice", "laptop") // one's own

	mc.want(words("admin accesskey edit plimsoll laptop --name other --secret-key second-secret --policy uploads.json"),
		"Successfully edited")
	mc.want(words("admin accesskey info plimsoll laptop"), "Policy: embedded", "Name: other")
	mc.as(s, "laptop", "laptop", "second-secret")
	mc.run("cp", "one", "laptop/photos/raw/one")
	mc.refused("Insufficient permissions", words("cp one laptop/photos/two")...)
	mc.run("admin", "accesskey", "disable", "plimsoll", "laptop")
	mc.refused("Insufficient permissions", words("cat laptop/photos/raw/one")...)
	mc.run("admin", "accesskey", "enable", "plimsoll", "laptop")
	mc.run("cat", "laptop/photos/raw/one")
	mc.want(words("admin accesskey rm plimsoll laptop"), "Successfully removed")
	mc.refused("not found", words("admin accesskey rm plimsoll laptop")...)

	// Root may have keys beside the first, whole or bounded.
	mc.run(words("admin accesskey create plimsoll --access-key spare --secret-key spare-secret")...)
	mc.as(s, "spare", "spare", "spare-secret")
	mc.want(words("admin user list spare"), "alice")
	mc.run(words("admin accesskey create plimsoll --access-key uploader --secret-key upload-secret --policy uploads.json")...)
	mc.as(s, "uploader", "uploader", "upload-secret")
	mc.run("cp", "one", "uploader/photos/raw/two")
	mc.refused("Insufficient permissions", words("cp one uploader/photos/two")...)
	mc.refused("Access Denied", words("admin user list uploader")...)

	mc.want(words("admin user svcacct add plimsoll alice --access-key phone --secret-key phone-secret"), "Access Key: phone")
	mc.want(words("admin user svcacct list plimsoll alice"), "phone", "no-expiry")
	mc.want(words("admin user svcacct info plimsoll phone"), "ParentUser: alice", "Status: on", "Policy: implied")
	mc.want(words("admin user svcacct edit plimsoll phone --secret-key phone-second"), "Edited service account")
	mc.as(s, "phone", "phone", "phone-second")
	mc.run("cat", "phone/photos/one")
	mc.want(words("admin user svcacct disable plimsoll phone"), "Disabled service account")
	mc.want(words("admin user svcacct info plimsoll phone"), "Status: off")
	mc.want(words("admin user svcacct rm plimsoll phone"), "Removed service account")
	mc.refused("not found", words("admin user svcacct info plimsoll phone")...)
}

// TestMinIOCompose runs the server as a compose file for MinIO does: by its command line and its variables.
func TestMinIOCompose(t *testing.T) {
	t.Parallel()
	s := &server{t: t, data: t.TempDir() + "/data", logs: &logBuffer{}, http: newHTTPClient(nil), compose: []string{
		"MINIO_ROOT_USER=" + accessKey, "MINIO_ROOT_PASSWORD=" + secretKey, "MINIO_DEFAULT_BUCKETS=photos,music:download",
		"MINIO_REGION=us-east-1", "MINIO_DOMAIN=s3.example.com",
	}}
	s.run()
	t.Cleanup(s.verdict)
	for _, want := range []string{
		"access key from MINIO_ROOT_USER", "secret key from MINIO_ROOT_PASSWORD", "bucket photos from MINIO_DEFAULT_BUCKETS",
		"region us-east-1 from MINIO_REGION", "domain s3.example.com from MINIO_DOMAIN", "bucket music is not made accessible",
		"--console-address is not used",
	} {
		if !s.logs.contains(want) {
			t.Errorf("the log lacks %q:\n%s", want, s.logs.tail())
		}
	}
	if s.logs.contains(secretKey) {
		t.Error("the secret key is in the log")
	}
	response, err := s.http.Get(s.endpoint + "/minio/health/live")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("health: %v, %v", response, err)
	}
	response.Body.Close()
	mc := s.mc()
	mc.file("one", []byte("one"))
	mc.run("cp", "one", "plimsoll/photos/one")
	mc.want(words("ls plimsoll"), "photos", "music")
}
