package e2e

import (
	"path/filepath"
	"testing"
)

func TestRestic(t *testing.T) {
	t.Parallel()
	s := start(t)
	restic := s.client("restic", "--no-cache", "--repo", "s3:"+s.endpoint+"/backups/laptop")
	restic.env = append(restic.env, "RESTIC_PASSWORD=e2e")
	data := random(1, 3*mib)
	restic.file("home/file", data)
	restic.file("home/sub/other", []byte("other"))
	restic.run("init")
	restic.run("backup", "home")
	restic.run("check", "--read-data")
	restic.run("restore", "latest", "--target", "restored")
	restic.same(filepath.Join("restored", "home", "file"), data)
	restic.run("forget", "latest", "--prune")
}
