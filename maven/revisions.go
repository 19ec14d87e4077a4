package maven

// This file lists the revisions that upstreams have of a module in a layout of Ivy: it has no metadata, so clients that
// look for the newest one read the module's directory.

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strings"

	"golang.org/x/net/html"

	"larder/internal/registry"
	"larder/maven/browse"
	"larder/maven/names"
	"larder/store"
	"larder/upstream"
)

// addRevisions adds to the directory d of a module what upstreams have there, if they have a say in its versions.
func (s *server) addRevisions(ctx context.Context, view registry.View, q Request, d *browse.Directory) error {
	if sees, err := view.Sees(q.Name); err != nil || !sees || !s.joins(ctx, q) {
		return err
	}
	q.Path = d.Path
	docs, err := s.Up.Documents(ctx, q.listing("document ", checkListing))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, doc := range docs {
		body, err := doc.Bytes(ctx)
		if err != nil {
			return err
		}
		for _, folder := range folders(body, doc.URL) {
			offers, err := true, error(nil)
			if !names.CrossBuilt(folder) {
				offers, err = s.offers(ctx, q, folder)
			}
			if err != nil {
				return err
			}
			if offers {
				d.Add(browse.Entry{Name: folder + "/"})
			}
		}
	}
	return nil
}

// listing asks for the directory q.Path. What check accepts is another document than what another check does.
func (q Request) listing(key string, check func(body []byte, contentType string) error) upstream.Query {
	return upstream.Query{
		Package: q.Name, Key: key + q.Path, Ref: remoteRef(q.Path), Fresh: freshMetadata, Absent: absentFor,
		Check: check,
	}
}

// modules are the documents which only an upstream has that has the module of a file in a layout of Ivy.
func (q Request) modules() []upstream.Query {
	if !q.Ivy {
		return nil
	}
	organisation := q.Group
	if !strings.HasPrefix(q.Path, organisation+"/") {
		organisation = strings.ReplaceAll(organisation, ".", "/")
	}
	return []upstream.Query{moduleQuery(q.Name, organisation, q.Artifact)}
}

// modulesOf are those of an artifact that was published in some layout.
func modulesOf(name string) []upstream.Query {
	group, artifact := names.SplitName(name)
	list := []upstream.Query{moduleQuery(name, group, artifact)}
	if folders := strings.ReplaceAll(group, ".", "/"); folders != group {
		list = append(list, moduleQuery(name, folders, artifact))
	}
	return list
}

// moduleQuery asks for the directory of a module, which has folders where there is one.
func moduleQuery(name, organisation, artifact string) upstream.Query {
	q := Request{Name: name, Path: organisation + "/" + artifact + "/"}
	return q.listing("module ", func(body []byte, _ string) error {
		if len(folders(body, herePage)) == 0 {
			return store.ErrNotFound
		}
		return nil
	})
}

// herePage is where a page is whose address does not matter.
const herePage = "http://upstream.example/here/"

var errNoListing = errors.New("it is no listing of a directory")

// checkListing says why a page is no listing of a directory: one has a folder, or says where it is.
func checkListing(body []byte, _ string) error {
	title := ""
	if _, after, ok := bytes.Cut(bytes.ToLower(body), []byte("<title>")); ok {
		title = string(bytes.TrimSpace(after[:min(len(after), 20)]))
	}
	if strings.HasPrefix(title, "index of") || len(folders(body, herePage)) > 0 {
		return nil
	}
	for _, href := range hrefs(body) {
		if href == "../" || href == ".." {
			return nil
		}
	}
	return errNoListing
}

// folders are the directories that a page links to directly below its own address.
func folders(body []byte, at string) (list []string) {
	base, err := url.Parse(at)
	if err != nil {
		return nil
	}
	for _, href := range hrefs(body) {
		u, err := base.Parse(href)
		if err != nil || u.Host != base.Host || u.RawQuery != "" {
			continue
		}
		name, below := strings.CutPrefix(u.Path, base.Path)
		name, dir := strings.CutSuffix(name, "/")
		if below && dir && name != "" && !strings.Contains(name, "/") && legal(name) && !hidden(name) {
			list = append(list, name)
		}
	}
	return list
}

// hrefs are where the links of a page lead.
func hrefs(body []byte) (list []string) {
	z := html.NewTokenizer(bytes.NewReader(body))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return list
		case html.StartTagToken:
			tag, more := z.TagName()
			for link := string(tag) == "a"; more; {
				var key, value []byte
				if key, value, more = z.TagAttr(); link && string(key) == "href" {
					list = append(list, string(value))
				}
			}
		}
	}
}
