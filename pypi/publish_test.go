package pypi

// Uploading: what comes of it, what is refused, and that faults lose nothing.

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"larder/auth"
	"larder/internal/wiretest"
	"larder/pypi/simple"
	"larder/store"
	"larder/store/storetest"
)

const demoWheel = "demo_pkg-1.0-py3-none-any.whl"

// TestPageShowsWhatWasUploaded: every key of PEP 691, 700, 714 and 592 from an upload, in both forms.
func TestPageShowsWhatWasUploaded(t *testing.T) {
	clock := storetest.NewClock()
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock) })
	wheel := newUpload(demoWheel, func(u *upload) {
		u.name, u.headers = "Demo.Pkg", "Requires-Python: >=3.8,<4\nSummary: a <demo>\n"
	})
	g.Want(g.put("ada", wheel), 200, "")
	g.Want(g.put("ada", newUpload("demo_pkg-1.0.tar.gz")), 200, "")
	page := g.project("demo-pkg")
	keys := strings.Join(wiretest.KeysOf(page), " ")
	wiretest.Equal(t, "keys of the page", keys, "files meta name project-status versions")
	wiretest.WantMembers(t, "page", page, fields{
		"meta/api-version": "1.4", "project-status/status": "active", "name": "demo-pkg", "versions": []string{"1.0"},
	})
	sum := fmt.Sprintf("%x", sha256.Sum256(wheel.bytes()))
	metadata := fmt.Sprintf("%x", sha256.Sum256([]byte(wheel.metadata())))
	e := entries(page)[demoWheel]
	want := fields{
		"filename":        demoWheel,
		"url":             "../../pypi/files/" + sum + "/" + demoWheel,
		"hashes":          fields{"sha256": sum},
		"size":            float64(len(wheel.bytes())),
		"upload-time":     clock.Now().Format("2006-01-02T15:04:05.000000Z"),
		"requires-python": ">=3.8,<4",
		"core-metadata":   fields{"sha256": metadata},
		"yanked":          false,
	}
	wiretest.EqualJSON(t, "the wheel", e, want)
	sdist := entries(page)["demo_pkg-1.0.tar.gz"]
	wiretest.WantMembers(t, "the source archive", sdist, fields{"core-metadata": false, "requires-python": nil})
	html := g.Want(g.Do("GET", "/simple/demo-pkg/", nil), 200, `data-requires-python="&gt;=3.8,&lt;4"`).Body
	for _, want := range []string{
		`<a href="../../pypi/files/` + sum + "/" + demoWheel + "#sha256=" + sum + `"`,
		`data-core-metadata="sha256=` + metadata + `"`, ">" + demoWheel + "</a>", `content="1.4"`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("%s is not in\n%s", want, html)
		}
	}
}

// TestPageOrdersFilesByVersion: files by version, then name; versions as PEP 440 orders them.
func TestPageOrdersFilesByVersion(t *testing.T) {
	g := newRig(t)
	g.publish(
		"demo-1.10-py3-none-any.whl", "demo-1.9.tar.gz", "demo-1.9-py3-none-any.whl", "demo-1!0.1-py3-none-any.whl",
		"demo-1.10rc1-py3-none-any.whl", "demo-1.10+cpu-py3-none-any.whl", "demo-1.10.0-cp39-cp39-win32.whl",
		"demo-1.10.dev1-py3-none-any.whl",
	)
	page := g.project("demo")
	wiretest.Equal(t, "versions", fmt.Sprint(page["versions"]), "[1.9 1.10.dev1 1.10rc1 1.10 1.10+cpu 1!0.1]")
	wiretest.EqualJSON(t, "files", order(page), []string{
		"demo-1.9-py3-none-any.whl", "demo-1.9.tar.gz", "demo-1.10.dev1-py3-none-any.whl", "demo-1.10rc1-py3-none-any.whl",
		"demo-1.10-py3-none-any.whl", "demo-1.10.0-cp39-cp39-win32.whl", "demo-1.10+cpu-py3-none-any.whl",
		"demo-1!0.1-py3-none-any.whl",
	})
}

// TestPagesHaveNothingThatBreaksClients: what breaks some client stands in no page: dist-info-metadata, BLAKE2 sums,
// nulls, other media types.
func TestPagesHaveNothingThatBreaksClients(t *testing.T) {
	g := newRig(t)
	g.publish(demoWheel, "demo_pkg-1.0.tar.gz")
	g.Want(g.Ada("PUT", "/pypi/-/demo-pkg/1.0/yank", nil), 204, "")
	for _, a := range []answer{
		g.Do("GET", "/simple/demo-pkg/", nil, asJSON), g.Do("GET", "/simple/demo-pkg/", nil),
		g.Do("GET", "/simple/", nil, asJSON),
	} {
		for _, poison := range []string{
			"dist-info-metadata", "blake2", `"yanked":null`, `"size":null`, `"upload-time":null`, `"core-metadata":null`,
			`"yanked":""`,
		} {
			if strings.Contains(a.Body, poison) {
				t.Errorf("%s in %s", poison, a.Body)
			}
		}
	}
}

// TestFormsOfEveryClientAreRead replays what clients send, in several orders: fields, spellings, digests and labels
// differ, the result does not.
func TestFormsOfEveryClientAreRead(t *testing.T) {
	forms := map[string]func(*upload){
		"twine 4": func(u *upload) {
			u.form["pyversion"] = ""
			u.more = [][2]string{
				{"provides_extras", "a"}, {"provides_extras", "b"}, {"classifiers", "x"}, {"classifiers", "y"},
				{"comment", "hello"},
			}
		},
		"twine 7": func(u *upload) { u.form["md5_digest"], u.last, u.form["name"] = "-", true, "demo-pkg" },
		"uv":      func(u *upload) { u.form["md5_digest"], u.form["requires_python"] = "-", "" },
		"flit":    func(u *upload) { u.form["blake2_256_digest"], u.form["pyversion"] = "-", "py3" },
		"poetry": func(u *upload) {
			u.form["pyversion"], u.form["md5_digest"], u.form["blake2_256_digest"] = "", "-", "-"
		},
		"FIPS":       func(u *upload) { u.form["md5_digest"], u.form["blake2_256_digest"] = "-", "-" },
		"upper case": func(u *upload) { u.form["sha256_digest"] = strings.ToUpper(u.fields()["sha256_digest"]) },
		"UNKNOWN":    func(u *upload) { u.form["license"], u.form["summary"] = "UNKNOWN", "UNKNOWN" },
		"no digest": func(u *upload) {
			u.form["md5_digest"], u.form["blake2_256_digest"], u.form["sha256_digest"] = "-", "-", "-"
		},
		"no action": func(u *upload) { u.form[":action"], u.form["protocol_version"], u.form["filetype"] = "-", "-", "-" },
		"names": func(u *upload) {
			u.more = [][2]string{{"import_name", "a"}, {"import_names", "b"}, {"license_file", "L"}, {"dynamic", "version"}}
		},
		"long": func(u *upload) { u.form["description"] = strings.Repeat("d", 3<<20) },
	}
	for name, change := range forms {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			for shuffle := range 3 {
				u := newUpload(fmt.Sprintf("demo_pkg-1.%d-py3-none-any.whl", shuffle), change)
				g.Want(g.putTo("/pypi/legacy/", "ada", u, shuffle*5), 200, "")
			}
			wiretest.Equal(t, "number of files", len(order(g.project("demo-pkg"))), 3)
		})
	}
}

// TestEveryUploadAddressWorks: whatever address a client has, with slash or without, and the action in the query.
func TestEveryUploadAddressWorks(t *testing.T) {
	g := newRig(t)
	for i, path := range []string{
		"/pypi/legacy/", "/pypi/legacy", "/pypi/", "/pypi", "/simple/", "/simple", "/pypi/simple/",
		"/pypi/legacy/?:action=file_upload",
	} {
		u := newUpload(fmt.Sprintf("demo_pkg-1.%d-py3-none-any.whl", i))
		if strings.Contains(path, "?") {
			u.form[":action"] = "-"
		}
		g.Want(g.putTo(path, "ada", u, i), 200, "")
	}
	register := newUpload(demoWheel, func(u *upload) { u.form[":action"] = "submit" })
	g.Want(g.put("ada", register), 200, "")
	docs := newUpload(demoWheel, func(u *upload) { u.form[":action"] = "doc_upload" })
	g.Want(g.put("ada", docs), 400, "documentation")
}

// TestRefusedUploadsSayWhy: every rule with its sentence, in body and status line.
func TestRefusedUploadsSayWhy(t *testing.T) {
	g := newRig(t)
	g.publish("demo_pkg-1.0.tar.gz")
	zeros32, zeros64 := strings.Repeat("0", 32), strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		file   string
		change func(*upload)
		status int
		text   string
	}{
		"no file":          {demoWheel, func(u *upload) { u.file = "" }, 400, "file name"},
		"no name":          {demoWheel, func(u *upload) { u.form["name"] = "-" }, 400, "no name or no version"},
		"no version":       {demoWheel, func(u *upload) { u.form["version"] = "-" }, 400, "no name or no version"},
		"bad name":         {demoWheel, func(u *upload) { u.form["name"] = "-demo" }, 400, "not a project name"},
		"Kelvin":           {demoWheel, func(u *upload) { u.form["name"] = "demo_p\u212ag" }, 400, "not a project name"},
		"other name":       {demoWheel, func(u *upload) { u.form["name"] = "other" }, 400, "about other"},
		"other version":    {demoWheel, func(u *upload) { u.form["version"] = "2.0" }, 400, "about version"},
		"version nonsense": {demoWheel, func(u *upload) { u.form["version"] = "french toast" }, 400, "about version"},
		"protocol":         {demoWheel, func(u *upload) { u.form["protocol_version"] = "2" }, 400, "protocol_version"},
		"action":           {demoWheel, func(u *upload) { u.form[":action"] = "x" }, 400, ":action"},
		"filetype":         {demoWheel, func(u *upload) { u.form["filetype"] = "sdist" }, 400, "filetype"},
		"traversal":        {demoWheel, func(u *upload) { u.file = `..\\..\\` + demoWheel }, 400, "characters"},
		"folder":           {demoWheel, func(u *upload) { u.file = "../demo_pkg-1.0-py3-none-any.whl" }, 400, "characters"},
		"egg":              {demoWheel, func(u *upload) { u.file = "demo_pkg-1.0-py3.egg" }, 400, "neither a wheel"},
		"sha256":           {demoWheel, func(u *upload) { u.form["sha256_digest"] = zeros64 }, 400, "sha256_digest"},
		"md5":              {demoWheel, func(u *upload) { u.form["md5_digest"] = zeros32 }, 400, "md5_digest"},
		"blake2":           {demoWheel, func(u *upload) { u.form["blake2_256_digest"] = zeros64 }, 400, "blake2_256_digest"},
		"metadata's name": {
			demoWheel, func(u *upload) { u.name, u.form["name"] = "other", "demo_pkg" }, 400, "metadata is that of",
		},
		"no archive":       {demoWheel, func(u *upload) { u.content = []byte("hello") }, 400, "damaged"},
		"empty":            {demoWheel, func(u *upload) { u.content = []byte{} }, 400, "damaged"},
		"second sdist":     {"demo_pkg-1.0.zip", func(*upload) {}, 400, "source archive already"},
		"signature":        {demoWheel, func(u *upload) { u.more = [][2]string{{"gpg_signature", "x"}} }, 400, "signature"},
		"long description": {demoWheel, func(u *upload) { u.form["description"] = strings.Repeat("d", 5<<20) }, 413, "field"},
		"attestations": {
			demoWheel, func(u *upload) { u.more = [][2]string{{"attestations", "[]"}} }, 400, "attestations",
		},
	} {
		u := newUpload(c.file)
		u.bytes() // before its file is called otherwise
		before := g.Journal()
		c.change(u)
		if name == "metadata's name" {
			u.content = nil
		}
		if a := g.put("ada", u); a.Status != c.status || !strings.Contains(a.Body, c.text) {
			t.Errorf("%s: %v, want %d %s", name, a, c.status, c.text)
		}
		if g.Journal() != before {
			t.Errorf("%s: something has changed", name)
		}
	}
	wiretest.Equal(t, "number of files after the refusals", len(order(g.project("demo-pkg"))), 1)
	two := newUpload(demoWheel)
	two.form["content"] = "another"
	g.Want(g.put("ada", two), 400, "several files")
	g.Want(g.Ada("POST", "/pypi/legacy/", "x", wiretest.Header("Content-Type", "text/plain")), 415, "multipart")
	small := newRig(t, func(o *rigOptions) { o.pypi.MaxFile = 100 })
	small.Want(small.put("ada", newUpload(demoWheel)), 413, "larger than 100 bytes")
}

// TestSameBytesSucceedAndOthersConflict: the same bytes are a success that changes nothing, others a conflict that
// changes nothing; a deleted name stays taken, until an administrator forgets it.
func TestSameBytesSucceedAndOthersConflict(t *testing.T) {
	g := newRig(t)
	g.User("root", nil, true)
	u := newUpload(demoWheel)
	g.Want(g.put("ada", u), 200, "")
	before, page := g.Journal(), g.Do("GET", "/simple/demo-pkg/", nil, asJSON)
	g.Want(g.put("ada", u), 200, "")
	other := newUpload(demoWheel, func(u *upload) { u.files["extra.txt"] = "other" })
	a := g.put("ada", other)
	g.Want(a, 409, "File already exists (demo_pkg-1.0-py3-none-any.whl) with different content")
	renamed := newUpload("Demo_Pkg-1.0.0-py3-none-any.whl", func(u *upload) { u.version = "1.0" })
	renamed.content = newUpload("demo_pkg-1.0-py3-none-any.whl", func(u *upload) { u.files["x"] = "y" }).bytes()
	g.Want(g.put("ada", renamed), 409, "spelled otherwise")
	after := g.Do("GET", "/simple/demo-pkg/", nil, asJSON).WantHeader(t, "ETag", page.Header.Get("ETag"))
	wiretest.Equal(t, "the page", after.Body, page.Body)
	wiretest.Equal(t, "the journal", g.Journal(), before)
	url := g.url("demo-pkg", demoWheel)
	g.publish("demo_pkg-1.1-py3-none-any.whl")
	g.Want(g.Ada("DELETE", "/pypi/-/demo-pkg/files/"+demoWheel, nil), 204, "")
	g.Want(g.Do("GET", url, nil), 410, "deleted")
	g.Want(g.Do("GET", url+".metadata", nil), 410, "")
	for _, again := range []*upload{u, other} {
		g.Want(g.put("ada", again), 409, "was deleted")
	}
	g.Want(g.Ada("DELETE", "/pypi/-/demo-pkg", nil), 204, "")
	g.Want(g.put("ada", u), 409, "was deleted")
	g.Want(g.Ada("DELETE", "/pypi/-/demo-pkg/tombstones/"+demoWheel, nil), 403, "")
	g.Want(g.Do("DELETE", "/pypi/-/demo-pkg/tombstones/"+demoWheel, nil, g.As("root")), 204, "")
	g.Want(g.Do("DELETE", "/pypi/-/demo-pkg/tombstones/"+demoWheel, nil, g.As("root")), 404, "")
	g.Want(g.put("ada", other), 200, "")
}

// TestOddUploadsAreWarnedOf: what is odd and installs all the same comes with a word in the body; strict sites refuse
// it.
func TestOddUploadsAreWarnedOf(t *testing.T) {
	odd := map[string]func(*upload){
		"differs": func(u *upload) { u.form["summary"] = "another" },
		"RECORD":  func(u *upload) { u.files["demo_pkg-1.0.dist-info/RECORD"] = "x,,\n" },
		"digest": func(u *upload) {
			u.form["sha256_digest"], u.form["md5_digest"], u.form["blake2_256_digest"] = "-", "-", "-"
		},
	}
	for name, change := range odd {
		g := newRig(t)
		g.Want(g.put("ada", newUpload(demoWheel, change)), 200, "Warning: ")
		if name == "digest" {
			continue
		}
		strict := newRig(t, func(o *rigOptions) { o.pypi.Strict = true })
		strict.Want(strict.put("ada", newUpload(demoWheel, change)), 400, "")
		strict.publish(demoWheel)
	}
	strict := newRig(t, func(o *rigOptions) { o.pypi.Strict = true })
	strict.Want(strict.put("ada", newUpload("Demo.Pkg-1.0.tar.gz")), 400, "PEP 625")
}

// TestStreamedZipIsWarnedOf: sizes behind the data, as streaming writers leave them, are a warning; with strict a
// refusal.
func TestStreamedZipIsWarnedOf(t *testing.T) {
	u := newUpload(demoWheel)
	u.content = streamed(t, u.bytes())
	g := newRig(t)
	g.Want(g.put("ada", u), 200, "size stands behind")
	strict := newRig(t, func(o *rigOptions) { o.pypi.Strict = true })
	strict.Want(strict.put("ada", u), 400, "size stands behind")
}

// TestAmbiguousZipIsRefused (CVE-2025-54368): an archive that readers could see in two ways is refused.
func TestAmbiguousZipIsRefused(t *testing.T) {
	good := newUpload(demoWheel).bytes()
	evil := newUpload(demoWheel, func(u *upload) { u.files["demo_pkg/evil.py"] = "x" }).bytes()
	comment := slices.Concat(good[:len(good)-2], []byte{3, 0, 'a', 'b', 'c'})
	g := newRig(t)
	for name, content := range map[string][]byte{
		"two archives": slices.Concat(evil, good), "prefix": slices.Concat([]byte("#!/bin/sh\n"), good),
		"suffix": slices.Concat(good, []byte("x")), "comment": comment,
		"local name": bytes.Replace(good, []byte("__init__.py"), []byte("__evil__.py"), 1),
	} {
		u := newUpload(demoWheel)
		u.content = content
		if a := g.put("ada", u); a.Status != 400 {
			t.Errorf("%s: %v", name, a)
		}
	}
}

// TestWheelStaysInItsFolder (CVE-2026-8643 and its kind): no member and no entry point leads out of where it is
// installed.
func TestWheelStaysInItsFolder(t *testing.T) {
	g := newRig(t)
	for _, files := range []map[string]string{
		{"../evil.py": "x"}, {"/etc/evil": "x"}, {`a\..\evil.py`: "x"}, {"C:evil.py": "x"},
		{"demo_pkg-1.0.dist-info/entry_points.txt": "[console_scripts]\n../../bin/ls = a:b\n"},
	} {
		g.Want(g.put("ada", newUpload(demoWheel, func(u *upload) { u.files = files })), 400, "")
	}
}

// TestArchiveBombsAreRefused: archives that unpack to far more than they are, and metadata that is too large.
func TestArchiveBombsAreRefused(t *testing.T) {
	g := newRig(t)
	for _, file := range []string{demoWheel, "demo_pkg-1.0.tar.gz"} {
		large := newUpload(file, func(u *upload) { u.body = strings.Repeat("x", 5<<20) })
		g.Want(g.put("ada", large), 413, "unpacks to more")
	}
	u := newUpload(demoWheel)
	u.content = bomb(t, 65<<20)
	g.Want(g.put("ada", u), 413, "unpack")
}

// TestRecordMustListTheArchive: a RECORD that is not the archive's is told, and refused where that is asked for.
func TestRecordMustListTheArchive(t *testing.T) {
	g := newRig(t)
	u := newUpload(demoWheel, func(u *upload) { u.files["demo_pkg-1.0.dist-info/RECORD"] = "demo_pkg/other.py,,\n" })
	g.Want(g.put("ada", u), 200, "RECORD does not list")
}

// TestAttestationsAreServedAsTheyCame: kept and served as they came; links stand in pages only where that was asked for
// and the origin is secure.
func TestAttestationsAreServedAsTheyCame(t *testing.T) {
	g := newRig(t, func(o *rigOptions) { o.pypi.Provenance = true })
	u := newUpload(demoWheel)
	one := attestation(demoWheel, u.bytes())
	u.more = [][2]string{{"attestations", "[" + one + "]"}} // after the file, as uv sends them
	g.Want(g.put("ada", u), 200, "")
	path := "/pypi/integrity/demo-pkg/1.0.0/" + demoWheel + "/provenance"
	for accept, want := range map[string]string{
		"": typeIntegrity, typeIntegrity: typeIntegrity, "application/json": "application/json", "*/*": typeIntegrity,
	} {
		a := g.Want(g.Do("GET", path, nil, wiretest.Header("Accept", accept)), 200, one)
		a.WantHeader(t, "Content-Type", want)
		wiretest.WantMembers(t, a.Request, a.Object(t), fields{"version": 1})
	}
	g.Want(g.Do("GET", path, nil, wiretest.Header("Accept", "text/html")), 406, "")
	g.publish("demo_pkg-1.1-py3-none-any.whl")
	g.Want(g.Do("GET", "/pypi/integrity/demo-pkg/1.1/demo_pkg-1.1-py3-none-any.whl/provenance", nil), 404, `"message"`)
	g.Want(g.Do("GET", "/pypi/integrity/demo-pkg/1.1/"+demoWheel+"/provenance", nil), 404, `"message"`)
	if page := g.project("demo-pkg"); entries(page)[demoWheel]["provenance"] != nil {
		t.Errorf("a link on an origin that is not secure: %v", page)
	}
	p, err := g.s.page(t.Context(), "demo-pkg")
	if err != nil {
		t.Fatal(err)
	}
	l := simple.Links{Files: "https://registry.example.com/pypi/files", Integrity: "https://registry.example.com/pypi"}
	link := `https://registry.example.com/pypi/integrity/demo-pkg/1.0/` + demoWheel + `/provenance"`
	wiretest.Equal(t, "links in JSON", strings.Count(string(p.JSON(l)), `"provenance":"`+link), 1)
	wiretest.Equal(t, "links in HTML", strings.Count(string(p.HTML(l, simple.HTML)), `data-provenance="`+link), 1)
	other := newUpload("demo_pkg-1.2-py3-none-any.whl")
	other.more = [][2]string{{"attestations", "[" + one + "]"}}
	g.Want(g.put("ada", other), 400, "about the file")
}

// TestSignatureIsServedBesideItsFile: a PGP signature is kept beside its file.
func TestSignatureIsServedBesideItsFile(t *testing.T) {
	g := newRig(t)
	const sig = "-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n"
	g.Want(g.put("ada", newUpload(demoWheel, func(u *upload) { u.more = [][2]string{{"gpg_signature", sig}} })), 200, "")
	a := g.Want(g.Do("GET", g.url("demo-pkg", demoWheel)+".asc", nil), 200, "")
	wiretest.Equal(t, "the signature", a.Body, sig)
	wiretest.WantMembers(t, "the page's file", entries(g.project("demo-pkg"))[demoWheel], fields{"gpg-sig": true})
	g.publish("demo_pkg-1.1-py3-none-any.whl")
	g.Want(g.Do("GET", g.url("demo-pkg", "demo_pkg-1.1-py3-none-any.whl")+".asc", nil), 404, "")
}

// TestClosedReleasesTakeNoFiles: a stolen token adds no wheel to what people have installed for long.
func TestClosedReleasesTakeNoFiles(t *testing.T) {
	clock := storetest.NewClock()
	g := newRig(t, func(o *rigOptions) { o.WithClock(clock); o.pypi.CloseReleases = 14 * 24 * time.Hour })
	g.publish(demoWheel)
	clock.Advance(14 * 24 * time.Hour)
	g.publish("demo_pkg-1.0.tar.gz")
	clock.Advance(time.Second)
	g.Want(g.put("ada", newUpload("demo_pkg-1.0-cp39-cp39-win32.whl")), 403, "14 days")
	g.publish("demo_pkg-1.1-py3-none-any.whl")
}

// TestStatusLineSaysWhy: the sentence is in the status line, on one line, whatever the upload called itself.
func TestStatusLineSaysWhy(t *testing.T) {
	g := newRig(t)
	g.publish(demoWheel)
	typ, body := newUpload(demoWheel, func(u *upload) { u.files["x"] = "y" }).encode(0)
	evil, evilBody := newUpload(demoWheel, func(u *upload) { u.form["name"] = "a\r\nX-Evil: 1" }).encode(0)
	conflict := "409 File already exists (" + demoWheel + ") with different content; choose a new version."
	for _, c := range []struct {
		typ  string
		body []byte
		want string
	}{
		{typ, body, conflict},
		{evil, evilBody, `400 "a\r\nX-Evil: 1" is not a project name: `},
	} {
		r, err := http.NewRequest("POST", g.Base+"/pypi/legacy/", bytes.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", c.typ)
		g.As("ada")(r)
		resp, err := g.Srv.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if !strings.HasPrefix(resp.Status, c.want) {
			t.Errorf("the status line is %q, want %q at its beginning", resp.Status, c.want)
		}
		wiretest.Equal(t, "the header X-Evil", resp.Header.Get("X-Evil"), "")
	}
	uv := wiretest.Header("Accept", "application/json;q=0.9, text/plain;q=0.8")
	a := g.put("ada", newUpload(demoWheel, func(u *upload) { u.files["x"] = "y" }), uv)
	a.WantHeader(t, "Content-Type", "application/json")
	wiretest.WantMembers(t, a.Request, a.Object(t), fields{"code": conflict})
}

// TestLargeUploadIsNotHeldInMemory: a large file goes through without being held.
func TestLargeUploadIsNotHeldInMemory(t *testing.T) {
	g := newRig(t)
	head := newUpload(demoWheel)
	typ, body := head.encode(0)
	at := bytes.Index(body, head.bytes())
	const size = 96 << 20
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	tail := body[at+len(head.bytes()):]
	stream := io.MultiReader(bytes.NewReader(body[:at]), io.LimitReader(zeros{}, size), bytes.NewReader(tail))
	a := g.Ada("POST", "/pypi/legacy/", stream, wiretest.Header("Content-Type", typ))
	runtime.ReadMemStats(&after)
	g.Want(a, 400, "announced")
	if got := after.TotalAlloc - before.TotalAlloc; got > 32<<20 {
		t.Errorf("%d MiB were allocated for a file of %d", got>>20, size>>20)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestConcurrentUploadsSurvive: uploads to one project at the same time all survive; of the same name with other bytes
// one does.
func TestConcurrentUploadsSurvive(t *testing.T) {
	g := newRig(t)
	const n = 8
	results := make(chan int, 2*n)
	for i := range n {
		go func() { results <- g.put("ada", newUpload(fmt.Sprintf("demo_pkg-1.%d-py3-none-any.whl", i))).Status }()
		go func() {
			u := newUpload("demo_pkg-2.0-py3-none-any.whl", func(u *upload) { u.files["x"] = fmt.Sprint(i) })
			results <- g.put("ada", u).Status
		}()
	}
	got := map[int]int{}
	for range 2 * n {
		got[<-results]++
	}
	wiretest.Equal(t, "uploads that succeeded", got[200], n+1)
	wiretest.Equal(t, "uploads that are conflicts", got[409], n-1)
	wiretest.Equal(t, "number of files", len(order(g.project("demo-pkg"))), n+1)
	all := g.Want(g.Do("GET", "/simple/", nil, asJSON), 200, "").Object(t)
	wiretest.WantMembers(t, "list of all", all, fields{"meta/_last-serial": 2*(n+1) + 1})
}

// TestUploadSurvivesFaults: at each durable step "failed" and "failed, but persisted"; a second try always ends well.
func TestUploadSurvivesFaults(t *testing.T) {
	u := newUpload(demoWheel)
	u.files["large"] = strings.Repeat("noise", 20_000)
	u.more = [][2]string{{"attestations", "[" + attestation(demoWheel, u.bytes()) + "]"}}
	typ, body := u.encode(0)
	send := func(g *rig, as option) answer {
		return g.Do("POST", "/pypi/legacy/", body, wiretest.Header("Content-Type", typ), as)
	}
	publish := func(t *testing.T, s *store.Store) error {
		if a := send(serve(t, s), wiretest.Basic("ada", "secret")); a.Status != 200 {
			return errors.New(a.String())
		}
		return nil
	}
	prepare := func(t *testing.T, s *store.Store) { serve(t, s).User("ada", nil) }
	storetest.BrokenAt(t, prepare, publish, func(t *testing.T, dir string, err error) {
		g := serve(t, storetest.Open(t, dir))
		g.Key("ada2", auth.TokenSpec{User: "ada"})
		there := g.Do("GET", "/simple/demo-pkg/", nil).Status
		if err == nil && there != 200 {
			t.Errorf("an upload that was confirmed is lost: %d", there)
		}
		if a := send(g, g.As("ada2")); a.Status != 200 {
			t.Errorf("the second try: %v", a)
		}
		g.Keys["ada"] = g.Keys["ada2"]
		url := g.url("demo-pkg", demoWheel)
		a := g.Do("GET", url, nil).WantStatus(t, 200)
		wiretest.Equal(t, "the file", a.Body, string(u.bytes()))
		g.Want(g.Do("GET", url+".metadata", nil), 200, u.metadata())
		g.Want(g.Do("GET", "/pypi/integrity/demo-pkg/1.0/"+demoWheel+"/provenance", nil), 200, "")
		g.checkRows()
	})
}

// TestPoliciesRefuseUploads: quotas and protected names are refused with their sentence, and leave nothing.
func TestPoliciesRefuseUploads(t *testing.T) {
	g := newRig(t, withPolicies(store.NewRules(store.RulesConfig{
		Quotas:    []store.Quota{{Kind: store.PyPI, Package: "demo-pkg", Bytes: 700}},
		Protected: []store.Protected{{Kind: store.PyPI, Package: "core-*", Users: []string{"root"}}},
		Immutable: []store.Immutable{{Kind: store.PyPI, Package: "fixed"}},
	})))
	large := newUpload(demoWheel, func(u *upload) { u.files["x"] = strings.Repeat("x", 1000) })
	g.Want(g.put("ada", large), 413, "quota")
	g.Want(g.put("ada", newUpload("core_lib-1.0-py3-none-any.whl")), 403, "")
	g.Want(g.Do("GET", "/simple/demo-pkg/", nil), 404, "")
	// What exists cannot change, but a release gets its other files.
	g.publish("fixed-1.0-py3-none-any.whl", "fixed-1.0.tar.gz")
	g.Want(g.Ada("PUT", "/pypi/-/fixed/1.0/yank", nil), 204, "")
	g.Want(g.Ada("DELETE", "/pypi/-/fixed/files/fixed-1.0.tar.gz", nil), 409, "cannot be changed")
}

// TestUploadCostDoesNotGrowWithFiles: what an upload allocates does not depend on how many files there are.
func TestUploadCostDoesNotGrowWithFiles(t *testing.T) {
	g := newRig(t)
	fill(t, g, "small", 10)
	fill(t, g, "large", 2000)
	i := 0
	cost := func(name string) float64 {
		return testing.AllocsPerRun(10, func() {
			i++
			g.publish(fmt.Sprintf("%s-99.%d-py3-none-any.whl", name, i))
		})
	}
	cost("small")
	if small, large := cost("small"), cost("large"); large > 2*small {
		t.Errorf("%.0f allocations with 10 files, %.0f with 2000", small, large)
	}
}
