package pages

// Which packages depend on one.

import (
	"errors"
	"strings"
	"testing"

	"larder/internal/miniclient"
	"larder/internal/wiretest"
	"larder/store"
)

// member is a file of an archive.
func member(name, body string) miniclient.Member {
	return miniclient.Member{Name: name, Body: []byte(body)}
}

const gemNeeds = `
- !ruby/object:Gem::Dependency
  name: demo
  requirement: !ruby/object:Gem::Requirement
    requirements:
    - - ">="
      - !ruby/object:Gem::Version
        version: '1.0'
  type: :runtime
  prerelease: false
  version_requirements: !ruby/object:Gem::Requirement
    requirements:
    - - ">="
      - !ruby/object:Gem::Version
        version: '1.0'`

// needing is a file of each kind whose package is called name and depends on demo.
func needing(t *testing.T, kind, name, version string) (file string, body []byte) {
	t.Helper()
	var err error
	switch base := name + "-" + version; kind {
	case "npm":
		file = "x.tgz"
		body, err = miniclient.Tgz(member("package/package.json",
			`{"name":"`+name+`","version":"`+version+`","dependencies":{"demo":"^1.0.0"},"devDependencies":{"other":"1"}}`))
	case "pypi":
		file = base + "-py3-none-any.whl"
		info := base + ".dist-info/"
		body, err = miniclient.Zip(member(name+"/__init__.py", "#"), member(info+"METADATA", "Metadata-Version: 2.1\nName: "+
			name+"\nVersion: "+version+"\nRequires-Dist: Demo>=1.0\n"),
			member(info+"WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
			member(info+"RECORD", ""))
	case "cargo":
		file = "x.crate"
		body, err = miniclient.Tgz(member(base+"/Cargo.toml", "[package]\nname = \""+name+"\"\nversion = \""+version+
			"\"\nedition = \"2021\"\ndescription = \"x\"\nlicense = \"MIT\"\n[dependencies]\ndemo = \"1.0\"\n"),
			member(base+"/src/lib.rs", "//"))
	case "maven":
		file = "x.pom"
		body = []byte("<project><modelVersion>4.0.0</modelVersion><groupId>com.acme</groupId><artifactId>" + name +
			"</artifactId><version>" + version + "</version><packaging>pom</packaging><dependencies><dependency>" +
			"<groupId>${project.groupId}</groupId><artifactId>demo</artifactId><version>1.0</version></dependency>" +
			"</dependencies></project>")
	case "composer":
		file = "x.zip"
		body, err = miniclient.Zip(member("composer.json", `{"name":"acme/`+name+`","version":"`+version+
			`","require":{"php":">=8","Acme/Demo":"^1.0"}}`))
	case "rubygems":
		file = "x.gem"
		body, err = miniclient.Gem(name, version, gemNeeds, member("lib/x.rb", "#"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return file, body
}

func TestDependantsOfEveryKind(t *testing.T) {
	for kind := range uploads {
		t.Run(kind, func(t *testing.T) {
			g := newRig(t, func(o *wiretest.Options) { o.Auth.Private = []string{"*:*:*secret*"} })
			v := g.visit()
			g.publish(kind, "demo", "1.0.0")
			for _, name := range []string{"shelf", "secretshelf"} {
				file, body := needing(t, kind, name, "1.0.0")
				g.Want(v.upload(file, body, "kind", kind), 303, "")
			}
			at := "/ui/" + kind + "/" + recordName(kind, "demo") + "/-/dependants"
			page := g.page("", at)
			g.has(page, `href="/ui/`+kind+"/"+recordName(kind, "shelf")+`"`, "Dependants <span>1</span>", "1.0")
			g.lacks(page, "secretshelf")
			g.has(g.page("ada", at), "secretshelf", "Dependants <span>2</span>")
			// What was published before there was an index is found after the job has run.
			g.forgetDependants(kind, recordName(kind, "shelf"))
			g.lacks(g.page("", at), "/"+recordName(kind, "shelf")+`"`)
			for range 2 {
				if err := g.pages.kinds[store.Kind(kind)].describe.IndexDependants(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			g.has(g.page("", at), "/"+recordName(kind, "shelf")+`"`)
			g.Want(v.change(kind, recordName(kind, "shelf"), map[bool]string{true: "yank", false: "delete"}[kind == "rubygems"],
				g.versionOf(kind, recordName(kind, "shelf"), "1.0.0"), nil), 303, "")
			g.lacks(g.page("", at), "/"+recordName(kind, "shelf")+`"`)
		})
	}
}

// forgetDependants takes the marks of dependencies from a listing, as it was before there were any.
func (g *rig) forgetDependants(kind, name string) {
	g.T.Helper()
	repo := store.NewRepo[struct{}](g.Store, store.Kind(kind))
	err := repo.Update(g.T.Context(), name, func(tx *store.PackageTx[struct{}]) error {
		l, err := tx.Listing()
		if err != nil {
			return err
		}
		var marks []string
		for _, m := range l.Marks {
			if !strings.HasPrefix(m, "dep:") {
				marks = append(marks, m)
			}
		}
		if len(marks) == len(l.Marks) {
			return errors.New("the listing has no mark")
		}
		l.Marks = marks
		return tx.SetListing(&l)
	})
	if err != nil {
		g.T.Fatal(err)
	}
}
