package pydist

// Releases of files by their names.

import "testing"

func TestReleaseOfEveryFormOfFile(t *testing.T) {
	for file, want := range map[string]string{
		"acme-old-1.0.tar.gz": "1.0", "acme_old-1.0.tar.gz": "1.0", "acme-old-1.0.tar.bz2": "1.0", "acme-old-1.0.tgz": "1.0",
		"acme-old-1.0.TGZ": "1.0", "Acme.Old-v1.0.zip": "1.0", "acme_old-1.0-py3.8.egg": "1.0",
		"acme_old-1.0.win32-py2.7.exe": "1.0", "acme-old-1.0.win-amd64.exe": "1.0",
		"acme_old-1.0.0-py3-none-any.whl": "1.0.0", "acme_old-1.0-1-py3-none-any.whl": "1.0",
		"acme-old-1.0-1.tar.gz": "1.0.post1", "acme-old-1.0rc1.tar.xz": "1.0rc1", "acme-old-1.0+cpu.tar.bz2": "1.0+cpu",
		"acme-old-1.0-1.src.rpm": "1.0.post1", "acme-old-2004d.tar.bz2": "2004d", "acme-old-1!2.0.tar.lzma": "1!2.0",
		"other.tar.bz2": "other",
	} {
		if got := ReleaseOf("acme-old", file); got != want {
			t.Errorf("the release of %s is %q, want %q", file, got, want)
		}
	}
}
