package pages

// Uploads in the browser: a file goes the way that the client of its kind would send it.

import (
	"io"
	"net/http"

	"larder/auth"
	"larder/internal/describe"
	"larder/internal/multiform"
	"larder/internal/problem"
	"larder/store"
)

const (
	maxUpload     = 2 << 30 // bytes of a file
	fieldFile     = "file"
	fieldKind     = "kind"
	maxUploadText = 1 << 10 // bytes of any other field
)

// recognised is the order in which kinds are asked whether a file is theirs: jars and wheels are ZIP archives too.
var recognised = []store.Kind{store.RubyGems, store.Cargo, store.PyPI, store.NPM, store.Maven, store.Composer}

// uploadPage is the form.
type uploadPage struct {
	Kinds   []store.Kind
	Kind    store.Kind // "": by the file
	Fields  map[string]string
	Refused string
}

// uploadFields are the fields that only some kinds have.
var uploadFields = []string{"group", "artifact", "version", "classifier", "tag"}

func (p *Pages) uploadPage() uploadPage {
	page := uploadPage{Fields: map[string]string{}}
	for _, k := range p.order {
		if k.kind != store.OCI {
			page.Kinds = append(page.Kinds, k.kind)
		}
	}
	return page
}

func (p *Pages) uploadForm(w http.ResponseWriter, r *http.Request, _ request) error {
	if _, err := openedBy(r); err != nil {
		return err
	}
	return p.sendUpload(w, r, http.StatusOK, p.uploadPage())
}

func (p *Pages) sendUpload(w http.ResponseWriter, r *http.Request, status int, page uploadPage) error {
	f := p.frame(r, "Upload", page)
	f.Here = "upload"
	return p.sendStatus(w, status, "upload", f)
}

// upload takes the form. The file is published from a temporary copy: nothing of it is read before all of it is here.
func (p *Pages) upload(w http.ResponseWriter, r *http.Request, _ request) error {
	id, err := openedBy(r)
	if err != nil {
		return err
	}
	if id.ReadOnly {
		return problem.Errorf(auth.ErrDenied, "The token is read-only.")
	}
	var stage *store.Stage
	defer func() {
		if stage != nil {
			stage.Abort()
		}
	}()
	limits := multiform.Limits{File: fieldFile, Value: maxUploadText, Values: 16 * maxUploadText, Fields: 16}
	form, err := multiform.Read(r, limits, nil, func(f *multiform.Form) (io.Writer, error) {
		if err := p.ofSession(r, f.Get(fieldForm)); err != nil {
			return nil, err
		}
		stage, err = p.d.Wire.Store.Stage(r.Context(), store.StageOptions{Size: -1, Limit: maxUpload})
		return stage, err
	})
	if err != nil {
		return err
	}
	if err := p.ofSession(r, form.Get(fieldForm)); err != nil {
		return err
	}
	page := p.uploadPage()
	page.Kind = store.Kind(form.Get(fieldKind))
	for _, name := range uploadFields {
		page.Fields[name] = form.Get(name)
	}
	at, err := p.publish(r, stage, form)
	switch status := problem.Status(err); {
	case status >= http.StatusInternalServerError:
		return err
	case err != nil:
		page.Refused = problem.Public(err)
		return p.sendUpload(w, r, status, page)
	}
	return seeOther(w, p.root(r)+at)
}

// publish publishes an upload and returns the address of its package below the root.
func (p *Pages) publish(r *http.Request, stage *store.Stage, form *multiform.Form) (at string, err error) {
	if stage == nil || form.Filename == "" {
		return "", problem.Errorf(problem.ErrInvalid, "No file is chosen.")
	}
	if _, err := stage.Flush(); err != nil {
		return "", err
	}
	k, err := p.kindOf(stage, form.Get(fieldKind))
	if err != nil {
		return "", err
	}
	name, err := k.describe.Upload(r.Context(), describe.Upload{
		File: stage, Size: stage.Size(), SHA256: stage.Digest().Encoded(), Name: form.Filename, Tag: form.Get("tag"),
		Group: form.Get("group"), Artifact: form.Get("artifact"), Version: form.Get("version"),
		Classifier: form.Get("classifier"),
	})
	if err != nil {
		return "", err
	}
	at = rootPages + "/" + string(k.kind)
	if name, err = k.spell(name); err != nil {
		return at, nil // it is published, under a name that only its client can spell
	}
	return at + "/" + escapeName(name), nil
}

// kindOf is the kind that was chosen, or the one that knows the file.
func (p *Pages) kindOf(stage *store.Stage, chosen string) (*kindPages, error) {
	if k := p.kinds[store.Kind(chosen)]; k != nil {
		return k, nil
	}
	for _, kind := range recognised {
		if k := p.kinds[kind]; k != nil && k.describe.Knows(stage, stage.Size()) {
			return k, nil
		}
	}
	return nil, problem.Errorf(problem.ErrInvalid,
		"The file is of no kind that is known here. Choose its kind to learn what is wrong with it.")
}
