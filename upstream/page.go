package upstream

// This file tells pages from files: a login, a portal and a broken server answer 200 as well, with a page about
// something else.

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strings"

	"larder/store"
)

// isWebPage reports whether a body begins as HTML does.
func isWebPage(body []byte) bool {
	start := bytes.ToLower(bytes.TrimLeft(body[:min(len(body), 512)], "\ufeff \t\r\n"))
	return bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html"))
}

// neverEmpty are names of files that have something in them. A repository of Maven has others: the other protocols'
// files are archives.
var neverEmpty = regexp.MustCompile(`(?i)\.(pom|jar|war|ear|aar|module|xml|zip|tgz|gz|bz2|xz)$`)

// pageInstead says what came instead of a file, "" when it may be the file.
func pageInstead(k store.Kind, ref string, start []byte) string {
	name, _, _ := strings.Cut(ref, "?")
	switch ext := strings.ToLower(path.Ext(name)); {
	case len(start) == 0 && (k != store.Maven || neverEmpty.MatchString(name)):
		return "answered an empty page instead of the file"
	case isWebPage(start) && ext != ".html" && ext != ".htm" && ext != ".xhtml":
		return "answered a web page instead of the file"
	}
	return ""
}

// page is err, or that what came is a page instead of the file when no sum says that it is the file: it must not be
// kept, and never counts as the first copy.
func (t *transfer) page(err error) error {
	if err == nil && t.summed || err != nil && !errors.Is(err, ErrBroken) {
		return err
	}
	stage := t.stage
	if !t.asItCame() {
		stage = t.enc.other.stage
	}
	start := make([]byte, min(512, stage.Size()))
	if len(start) > 0 {
		if _, rerr := stage.ReadAt(start, 0); rerr != nil {
			return errors.Join(err, rerr)
		}
	}
	said := pageInstead(t.f.s.kind, t.place.Ref, start)
	switch {
	case said == "":
		return err
	case err == nil:
		err = fmt.Errorf("%w: a page came", ErrBroken)
	}
	return &formError{said, err}
}

// otherSize is the error of an answer that is not as long as the file.
func (t *transfer) otherSize(resp *http.Response) error {
	err := fmt.Errorf("%w: %d bytes instead of %d", ErrBroken, t.total, t.place.Size)
	if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind == "text/html" {
		return &formError{"answered a web page instead of the file", err}
	}
	return err
}
