package e2e

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestRestic(t *testing.T) {
	t.Parallel()
	s := start(t)
	restic := s.client("restic", "--no-cache", "--repo", "s3:"+s.endpoint+"/backups/laptop")
	restic.env = append(restic.env, "RESTIC_PASSWORD=e2e")
	data, grown := random(1, 3*mib), random(2, 2*mib)
	restic.file("home/file", data)
	restic.file("home/sub/other", []byte("other"))
	restic.run("init")
	restic.run("backup", "home")
	restic.file("home/sub/other", grown)
	restic.file("home/new", []byte("new"))
	restic.run("backup", "home")
	restic.run("check", "--read-data")
	if out := restic.run("snapshots", "--json"); strings.Count(out, `"short_id"`) != 2 {
		t.Errorf("snapshots: %s", out)
	}
	restic.run("forget", "--keep-last", "1", "--prune")
	restic.run("check", "--read-data")
	restic.run("restore", "latest", "--target", "restored")
	restic.same(filepath.Join("restored", "home", "file"), data)
	restic.same(filepath.Join("restored", "home", "sub", "other"), grown)
	restic.same(filepath.Join("restored", "home", "new"), []byte("new"))
	restic.run("forget", "latest", "--prune")
}
