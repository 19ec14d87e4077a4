package maven

// This file makes of a file the requests with which Maven deploys it alone, as deploy:deploy-file does: the POM that is
// in a jar, or a small one, then the file, then the announcement.

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"

	"larder/internal/archive"
	"larder/internal/describe"
	"larder/internal/problem"
	"larder/internal/registry"
	"larder/maven/names"
)

// sendUpload is an upload.
func sendUpload(u describe.Upload) (name string, calls []registry.Call, err error) {
	group, artifact, version := u.Group, u.Artifact, u.Version
	found, known := Identify(u.File, u.Size)
	if group == "" && artifact == "" && version == "" && known {
		group, artifact = names.SplitName(found.Name)
		version = found.Version
	}
	if group == "" || artifact == "" || version == "" {
		return "", nil, problem.Errorf(problem.ErrInvalid,
			"The file does not say its coordinates: give its group, artifact and version.")
	}
	ending := strings.TrimPrefix(path.Ext(u.Name), ".")
	if ending == "" {
		ending = "jar"
	}
	base := artifact + "-" + version
	folder := root + "/" + names.Escape(strings.ReplaceAll(group, ".", "/")+"/"+artifact+"/"+version+"/")
	put := func(file string, body io.Reader, size int64) {
		calls = append(calls, registry.Call{
			Method: http.MethodPut, Path: folder + names.Escape(file), Body: body, Size: size,
			Type: "application/octet-stream",
		})
	}
	if ending != "pom" && u.Classifier == "" {
		text := pomIn(u.File, u.Size, group, artifact)
		if text == nil {
			text = smallPOM(group, artifact, version, ending)
		}
		put(base+".pom", bytes.NewReader(text), int64(len(text)))
	}
	if u.Classifier != "" {
		base += "-" + u.Classifier
	}
	put(base+"."+ending, io.NewSectionReader(u.File, 0, u.Size), u.Size)
	calls = append(calls, registry.Call{Method: http.MethodPost, Path: folder})
	return names.PackageName(group, artifact), calls, nil
}

// pomIn is the POM of an artifact that Maven has put into its jar; nil without one.
func pomIn(file io.ReaderAt, size int64, group, artifact string) []byte {
	z, err := archive.OpenZip(file, size, archive.Limits{})
	if err != nil {
		return nil
	}
	e := z.Entry("META-INF/maven/" + group + "/" + artifact + "/pom.xml")
	if e == nil {
		return nil
	}
	text, err := e.Bytes(maxIdentify)
	if err != nil {
		return nil
	}
	return text
}

// smallPOM is the POM of an artifact of which nothing else is known.
func smallPOM(group, artifact, version, packaging string) []byte {
	escape := func(s string) string {
		var b strings.Builder
		// A strings.Builder takes everything.
		_ = xml.EscapeText(&b, []byte(s))
		return b.String()
	}
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>%s</groupId>
  <artifactId>%s</artifactId>
  <version>%s</version>
  <packaging>%s</packaging>
</project>
`, escape(group), escape(artifact), escape(version), escape(packaging))
}
