package pypi

// This file tells wheels and source distributions from other bytes, for whoever looks at files that no record knows.

import (
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	"larder/internal/archive"
	"larder/internal/pydist"
	"larder/store"
)

// maxIdentify bounds the metadata that is read.
const maxIdentify = 4 << 20

// Identify says which distribution a file is; false for what is none.
func Identify(r io.ReaderAt, size int64) (store.Found, bool) {
	if f, ok := identifyWheel(r, size); ok {
		return f, true
	}
	return identifySource(r, size)
}

// identifyWheel finds NAME-VERSION.dist-info/METADATA at the root of a ZIP archive. The tags of its name are in WHEEL.
func identifyWheel(r io.ReaderAt, size int64) (store.Found, bool) {
	z, err := archive.OpenZip(r, size, archive.Limits{})
	if err != nil {
		return store.Found{}, false
	}
	for _, e := range z.Entries() {
		folder, isInfo := strings.CutSuffix(path.Dir(e.Name), ".dist-info")
		if !isInfo || path.Base(e.Name) != "METADATA" || strings.Contains(folder, "/") {
			continue
		}
		raw, err := e.Bytes(maxIdentify)
		wheel := z.Entry(folder + ".dist-info/WHEEL")
		if err != nil || wheel == nil {
			return store.Found{}, false
		}
		info, err := wheel.Bytes(maxIdentify)
		if err != nil {
			return store.Found{}, false
		}
		f, ok := distribution(raw)
		f.File = folder + "-" + wheelTags(pydist.ParseMetadata(info)) + ".whl"
		return f, ok
	}
	return store.Found{}, false
}

// wheelTags joins the tags of WHEEL as file names do: py2.py3-none-any.
func wheelTags(m *pydist.Metadata) string {
	var parts [3][]string
	for _, tag := range m.All("tag") {
		for i, p := range strings.SplitN(tag, "-", 3) {
			if !slices.Contains(parts[i], p) {
				parts[i] = append(parts[i], p)
			}
		}
	}
	tags := strings.Join(parts[0], ".") + "-" + strings.Join(parts[1], ".") + "-" + strings.Join(parts[2], ".")
	if build := m.Get("build"); build != "" {
		return build + "-" + tags
	}
	return tags
}

var errIdentified = errors.New("identified")

// identifySource finds FOLDER/PKG-INFO in a tar archive.
func identifySource(r io.ReaderAt, size int64) (store.Found, bool) {
	var f store.Found
	ok := false
	err := archive.Tar(io.NewSectionReader(r, 0, size), archive.Limits{}, func(e *archive.Entry) error {
		folder, name, _ := strings.Cut(e.Name, "/")
		if name != "PKG-INFO" || !e.Regular {
			return nil
		}
		raw, err := e.Bytes(maxIdentify)
		if err != nil {
			return err
		}
		f, ok = distribution(raw)
		f.File = folder + ".tar.gz"
		return errIdentified
	})
	return f, ok && errors.Is(err, errIdentified)
}

func distribution(raw []byte) (store.Found, bool) {
	m := pydist.ParseMetadata(raw)
	f := store.Found{Kind: store.PyPI, Name: m.Get("name"), Version: m.Get("version"), Confidence: store.Certain}
	return f, f.Name != "" && f.Version != ""
}
