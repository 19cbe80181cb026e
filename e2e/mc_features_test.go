package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// want runs the program and fails the test unless what it prints has all of these.
func (c *tool) want(command []string, wants ...string) string {
	c.t.Helper()
	out := c.run(command...)
	for _, want := range wants {
		if !strings.Contains(out, want) {
			c.t.Errorf("%s lacks %q:\n%s", strings.Join(command, " "), want, out)
		}
	}
	return out
}

// refused fails the test unless the program fails, and says why.
func (c *tool) refused(why string, command ...string) {
	c.t.Helper()
	if out, err := c.try(command...); err == nil || !strings.Contains(out, why) {
		c.t.Errorf("%s: %v, want %q:\n%s", strings.Join(command, " "), err, why, out)
	}
}

// words splits a command line without quotes.
func words(line string) []string { return strings.Fields(line) }

// versionID is that of the newest version in "mc ls --versions".
func (c *tool) versionID(target string) string {
	c.t.Helper()
	first, _, _ := strings.Cut(c.run("ls", "--versions", "--json", target), "\n")
	var row struct {
		VersionID string `json:"versionId"`
	}
	if err := json.Unmarshal([]byte(first), &row); err != nil || row.VersionID == "" {
		c.t.Fatalf("ls --versions: %v\n%s", err, first)
	}
	return row.VersionID
}

func TestMCVersions(t *testing.T) {
	t.Parallel()
	s := start(t)
	mc := s.mc()
	mc.file("one", []byte("one"))
	mc.file("two", []byte("two"))
	mc.run("mb", "plimsoll/log")
	mc.want(words("version info plimsoll/log"), "is un-versioned")
	mc.run("version", "enable", "plimsoll/log")
	mc.want(words("version info plimsoll/log"), "versioning is enabled")

	mc.run("cp", "one", "plimsoll/log/page")
	first := mc.versionID("plimsoll/log/page")
	mc.run("cp", "two", "plimsoll/log/page")
	mc.want(words("ls --versions plimsoll/log"), "v1 PUT page", "v2 PUT page", first)
	if out := mc.run("cat", "--version-id", first, "plimsoll/log/page"); out != "one" {
		t.Errorf("cat of the first version: %q", out)
	}
	mc.want(words("rm plimsoll/log/page"), "Created delete marker")
	if out := mc.run("ls", "plimsoll/log"); strings.TrimSpace(out) != "" {
		t.Errorf("ls after rm: %s", out)
	}
	mc.want(words("ls --versions plimsoll/log"), "v3 DEL page")
	mc.run("undo", "plimsoll/log/page") // takes the delete marker away
	if out := mc.run("cat", "plimsoll/log/page"); out != "two" {
		t.Errorf("cat after undo: %q", out)
	}
	mc.run("undo", "plimsoll/log/page") // and then the second version
	if out := mc.run("cat", "plimsoll/log/page"); out != "one" {
		t.Errorf("cat after a second undo: %q", out)
	}

	mc.run("version", "suspend", "plimsoll/log")
	mc.want(words("version info plimsoll/log"), "versioning is suspended")
	mc.run("cp", "two", "plimsoll/log/page")
	if out := mc.run("cat", "--version-id", "null", "plimsoll/log/page"); out != "two" {
		t.Errorf("cat of the null version: %q", out)
	}
	mc.want(words("du --versions plimsoll/log"), "6B", "2 versions")
	s.wantUsage("log", 6, 2, 0)
	mc.run("rm", "--versions", "--recursive", "--force", "plimsoll/log")
	s.wantUsage("log", 0, 0, 0)
	mc.run("rb", "plimsoll/log")
}

func TestMCTags(t *testing.T) {
	t.Parallel()
	s := start(t)
	mc := s.mc()
	mc.file("small", []byte("small"))
	mc.run("mb", "plimsoll/tagged")
	mc.run("cp", "--tags", "ship=Passat&year=1911", "small", "plimsoll/tagged/a b")
	mc.want([]string{"tag", "list", "plimsoll/tagged/a b"}, "ship : Passat", "year : 1911")
	for _, target := range []string{"plimsoll/tagged/a b", "plimsoll/tagged"} {
		mc.run("tag", "set", target, "rig=barque&home port=Kiel")
		out := mc.want([]string{"tag", "list", target}, "barque", "home port : Kiel")
		if strings.Contains(out, "Passat") {
			t.Errorf("the tags of %s are not replaced:\n%s", target, out)
		}
		mc.run("tag", "remove", target)
		if out, _ := mc.try("tag", "list", target); strings.Contains(out, "barque") {
			t.Errorf("the tags of %s are still there:\n%s", target, out)
		}
	}
}

// anonymously is a GET by someone without credentials.
func (s *server) anonymously(path string) answer {
	s.t.Helper()
	return s.send(request{method: http.MethodGet, path: path, unsigned: true})
}

func TestMCAnonymous(t *testing.T) {
	t.Parallel()
	s := start(t)
	mc := s.mc()
	mc.file("small", []byte("small"))
	mc.run("mb", "plimsoll/fair")
	mc.run("cp", "small", "plimsoll/fair/pub/a")
	mc.run("cp", "small", "plimsoll/fair/b")
	s.anonymously("/fair/pub/a").want(t, "private", http.StatusForbidden, "AccessDenied")

	mc.run("anonymous", "set", "download", "plimsoll/fair")
	mc.want(words("anonymous get plimsoll/fair"), "`download`")
	mc.want(words("anonymous links plimsoll/fair --recursive"), s.endpoint+"/fair/pub/a")
	got := s.anonymously("/fair/pub/a")
	if got.want(t, "download", http.StatusOK, ""); string(got.body) != "small" {
		t.Errorf("%q", got.body)
	}
	s.anonymously("/fair").want(t, "list", http.StatusOK, "")
	up := request{method: http.MethodPut, path: "/fair/up", unsigned: true, body: []byte("x")}
	s.send(up).want(t, "upload", http.StatusForbidden, "AccessDenied")
	mc.run("anonymous", "set", "public", "plimsoll/fair")
	s.send(up).want(t, "upload to a public bucket", http.StatusOK, "")

	mc.run("anonymous", "set", "none", "plimsoll/fair")
	mc.want(words("anonymous get plimsoll/fair"), "`private`")
	s.anonymously("/fair/pub/a").want(t, "none", http.StatusForbidden, "AccessDenied")

	mc.file("policy.json", []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",`+
		`"Action":"s3:GetObject","Resource":"arn:aws:s3:::fair/pub/*"}]}`))
	mc.run("anonymous", "set-json", "policy.json", "plimsoll/fair")
	mc.want(words("anonymous get plimsoll/fair"), "`custom`")
	mc.want(words("anonymous get-json plimsoll/fair"), `"arn:aws:s3:::fair/pub/*"`)
	s.anonymously("/fair/pub/a").want(t, "under the prefix", http.StatusOK, "")
	s.anonymously("/fair/b").want(t, "beside the prefix", http.StatusForbidden, "AccessDenied")
}

func TestMCLifecycle(t *testing.T) {
	t.Parallel()
	s := start(t)
	mc := s.mc()
	mc.run("mb", "plimsoll/cycle")
	mc.refused("lifecycle configuration does not exist", "ilm", "rule", "ls", "plimsoll/cycle")
	mc.run(words("ilm rule add --expire-days 30 --prefix logs/ plimsoll/cycle")...)
	mc.run(words("ilm rule add --noncurrent-expire-days 7 --noncurrent-expire-newer 2 --expire-delete-marker " +
		"plimsoll/cycle")...)
	mc.want(words("ilm rule ls plimsoll/cycle"), "logs/", "30", "NoncurrentVersionExpiration", "7")
	var exported struct {
		Rules []struct {
			ID         string
			Expiration struct{ Days int }
		}
	}
	export := func() {
		t.Helper()
		exported.Rules = nil
		if err := json.Unmarshal([]byte(mc.run("ilm", "rule", "export", "plimsoll/cycle")), &exported); err != nil {
			t.Fatal(err)
		}
	}
	if export(); len(exported.Rules) != 2 || exported.Rules[0].Expiration.Days != 30 {
		t.Fatalf("export: %+v", exported)
	}
	mc.run("ilm", "rule", "edit", "--id", exported.Rules[0].ID, "--expire-days", "60", "plimsoll/cycle")
	if export(); len(exported.Rules) != 2 || exported.Rules[0].Expiration.Days != 60 {
		t.Errorf("export after edit: %+v", exported)
	}
	mc.run("ilm", "rule", "rm", "--id", exported.Rules[0].ID, "plimsoll/cycle")
	if export(); len(exported.Rules) != 1 {
		t.Errorf("export after rm: %+v", exported)
	}
	mc.run("ilm", "rule", "rm", "--all", "--force", "plimsoll/cycle")
	mc.refused("lifecycle configuration does not exist", "ilm", "rule", "ls", "plimsoll/cycle")
}

func TestMCLock(t *testing.T) {
	t.Parallel()
	s := start(t)
	mc := s.mc()
	mc.file("small", []byte("small"))
	mc.run("mb", "--with-lock", "plimsoll/vault")
	mc.want(words("version info plimsoll/vault"), "versioning is enabled")

	mc.run(words("retention set --default governance 30d plimsoll/vault")...)
	mc.want(words("retention info --default plimsoll/vault"), "'GOVERNANCE'", "30DAYS")
	mc.run("cp", "small", "plimsoll/vault/default")
	mc.want(words("retention info plimsoll/vault/default"), "GOVERNANCE, expiring in 29 days")
	mc.run(words("retention clear --default plimsoll/vault")...)

	mc.run("cp", "small", "plimsoll/vault/own")
	mc.want(words("retention info plimsoll/vault/own"), "NO RETENTION")
	mc.run(words("retention set governance 10d plimsoll/vault/own")...)
	mc.want(words("retention info plimsoll/vault/own"), "GOVERNANCE, expiring in 9 days")
	mc.run(words("retention clear plimsoll/vault/own")...)
	mc.want(words("retention info plimsoll/vault/own"), "NO RETENTION")

	version := mc.versionID("plimsoll/vault/own")
	mc.run(words("legalhold set plimsoll/vault/own")...)
	mc.want(words("legalhold info plimsoll/vault/own"), "ON")
	mc.refused("object protected by object lock", "rm", "--bypass", "--version-id", version, "plimsoll/vault/own")
	mc.run(words("legalhold clear plimsoll/vault/own")...)
	mc.want(words("legalhold info plimsoll/vault/own"), "OFF")
	mc.run("rm", "--version-id", version, "plimsoll/vault/own")

	version = mc.versionID("plimsoll/vault/default")
	mc.refused("object protected by object lock", "rm", "--version-id", version, "plimsoll/vault/default")
	mc.run("rm", "--bypass", "--version-id", version, "plimsoll/vault/default")

	mc.run(words("cp --retention-mode compliance --retention-duration 3d --legal-hold on small plimsoll/vault/with")...)
	mc.want(words("retention info plimsoll/vault/with"), "COMPLIANCE, expiring in 2 days")
	mc.want(words("legalhold info plimsoll/vault/with"), "ON")
	mc.refused("object protected by object lock", "rm", "--bypass", "--version-id", mc.versionID("plimsoll/vault/with"),
		"plimsoll/vault/with")
	s.wantUsage("vault", 5, 1, 0)
}

func TestMCCORS(t *testing.T) {
	t.Parallel()
	s := start(t)
	mc := s.mc()
	mc.file("cors.xml", []byte(`<CORSConfiguration><CORSRule><AllowedOrigin>https://app.example.com</AllowedOrigin>`+
		`<AllowedMethod>GET</AllowedMethod><AllowedHeader>*</AllowedHeader><MaxAgeSeconds>60</MaxAgeSeconds>`+
		`</CORSRule></CORSConfiguration>`))
	mc.run("mb", "plimsoll/pages")
	mc.want(words("cors get plimsoll/pages"), "No bucket CORS configuration found")
	mc.run(words("cors set plimsoll/pages cors.xml")...)
	mc.want(words("cors get plimsoll/pages"), "<AllowedOrigin>https://app.example.com<",
		"<MaxAgeSeconds>60<")
	mc.run(words("cors remove plimsoll/pages")...)
	mc.want(words("cors get plimsoll/pages"), "No bucket CORS configuration found")
}
