package pages

// The stylesheet and the script: each has the hash of its bytes in its address, so that browsers keep it for ever.

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"larder/internal/problem"
	"larder/internal/wire"
	"larder/store"
)

//go:embed static/*
var static embed.FS

// asset is a file that pages load.
type asset struct {
	path string // below the root, with the hash
	doc  *store.Document
}

// assets are the files by their names, and by their paths.
type assets struct {
	named map[string]asset
	at    map[string]asset
}

// readAssets reads what is embedded in the program.
func readAssets() (assets, error) {
	a := assets{named: map[string]asset{}, at: map[string]asset{}}
	for name, typ := range map[string]string{
		"style.css": "text/css; charset=utf-8", "app.js": "text/javascript; charset=utf-8",
	} {
		body, err := static.ReadFile("static/" + name)
		if err != nil {
			return a, fmt.Errorf("read asset: %w", err)
		}
		sum := sha256.Sum256(body)
		stem, ending, _ := strings.Cut(name, ".")
		file := stem + "." + hex.EncodeToString(sum[:8]) + "." + ending
		one := asset{rootOther + "/assets/" + file, store.NewDocument(store.Rendered{Body: body, Type: typ})}
		a.named[name], a.at[file] = one, one
	}
	return a, nil
}

// getAsset sends a file to everybody: there is nothing of anybody in it.
func (p *Pages) getAsset(w http.ResponseWriter, r *http.Request, q request) error {
	one, ok := p.assets.at[q.asset]
	if !ok {
		return problem.Errorf(problem.ErrNotFound, "there is no such file")
	}
	return wire.ServeDocument(w, r, one.doc, "public, max-age=31536000, immutable")
}
