package web

// The page at /: what this server is and how to use it, for people.

import (
	"bytes"
	_ "embed"
	"html/template"
	"net/http"
	"net/url"
	"strconv"

	"larder/internal/wire"
	"larder/store"
)

//go:embed landing.html
var landingHTML string

// landingCSP allows the page's own style and nothing else: no scripts, no frames, no forms, no requests.
const landingCSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; " +
	"frame-ancestors 'none'"

// landingPage is what the template gets; html/template escapes all of it.
type landingPage struct {
	Version   string
	Protocols []landingProtocol
}

type landingProtocol struct {
	Name, URL string
	// Commands are the lines a user types first.
	Commands []string
}

// landing serves the page at /.
func (s *Web) landing(w http.ResponseWriter, r *http.Request) {
	wire.SetOp(r.Context(), "web.landing")
	var page bytes.Buffer
	if err := s.page.Execute(&page, s.landingPage(r)); err != nil {
		s.d.Log.Error("render landing page", "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", landingCSP)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Length", strconv.Itoa(page.Len()))
	if r.Method == http.MethodHead {
		return
	}
	if _, err := page.WriteTo(w); err != nil {
		s.d.Log.Debug("landing page was not sent", "err", err)
	}
}

func (s *Web) landingPage(r *http.Request) landingPage {
	base := s.d.Wire.Base.URL(r)
	page := landingPage{Version: s.d.Version}
	if _, closed := s.sees(r); closed {
		page.Version = ""
	}
	for _, p := range s.d.Protocols {
		page.Protocols = append(page.Protocols, describe(p, base))
	}
	return page
}

// describe writes a protocol's base URL and first commands for a server reached at base.
func describe(p Protocol, base string) landingProtocol {
	at := base + p.Path
	host := base
	if u, err := url.Parse(base); err == nil {
		host = u.Host
	}
	switch p.Kind {
	case store.OCI:
		return landingProtocol{
			"OCI images and artifacts", host, []string{"docker login " + host, "docker push " + host + "/name:tag"},
		}
	case store.NPM:
		return landingProtocol{
			"npm", at + "/", []string{"npm login --registry " + at + "/", "npm publish --registry " + at + "/"},
		}
	case store.PyPI:
		return landingProtocol{
			"PyPI", at + "/",
			[]string{
				"twine upload --repository-url " + at + "/legacy/ dist/*", "pip install --index-url " + at + "/simple/ NAME",
			},
		}
	case store.Cargo:
		return landingProtocol{"Cargo", "sparse+" + at + "/index/", []string{
			"export CARGO_REGISTRIES_LARDER_INDEX=sparse+" + at +
				"/index/ CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS=cargo:token",
			"cargo login --registry larder", "cargo publish --registry larder",
		}}
	case store.Maven:
		return landingProtocol{"Maven", at + "/", []string{"mvn deploy -DaltDeploymentRepository=larder::" + at + "/"}}
	case store.Composer:
		return landingProtocol{
			"Composer", at + "/",
			[]string{
				"composer config repositories.larder composer " + at,
				`curl -u USER:TOKEN -T package.zip "` + at + `/?version=1.0.0"`,
			},
		}
	case store.RubyGems:
		return landingProtocol{
			"RubyGems", at + "/",
			[]string{
				"RUBYGEMS_HOST=" + at + " gem signin", "gem push --host " + at + " NAME.gem",
				"gem install --clear-sources --source " + at + "/ NAME",
			},
		}
	}
	return landingProtocol{string(p.Kind), at + "/", nil}
}

// parseLanding parses the embedded template; a mistake in it is found by the first test that runs.
func parseLanding() *template.Template {
	return template.Must(template.New("landing").Parse(landingHTML))
}
