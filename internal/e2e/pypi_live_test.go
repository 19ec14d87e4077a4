package e2e

// The live test of pip and others: real projects are installed from files that were uploaded here again.

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"larder/internal/pydist"
)

// livePythonProjects are widely used projects; with dependencies they are more than two hundred. The build backends are
// among them, because liveSources are built where they are installed.
const livePythonProjects = `
aiofiles aiohttp alabaster alembic annotated-types anyio argcomplete arrow asgiref astroid asttokens async-timeout
attrs automat babel backoff bcrypt beautifulsoup4 billiard black bleach blinker boltons boto3 build cachetools cattrs
celery certifi cffi chardet charset-normalizer click click-didyoumean click-plugins click-repl cloudpickle colorama
colorlog constantly coverage croniter cryptography cssselect cycler decorator deepdiff defusedxml deprecated dill
distlib django django-cors-headers django-filter djangorestframework dnspython docker docutils email-validator
et-xmlfile exceptiongroup execnet executing factory-boy faker fastapi fastjsonschema filelock flake8 flask flask-cors
flask-login flask-sqlalchemy flask-wtf flit-core freezegun frozenlist fsspec ghp-import gitdb gitpython greenlet
gunicorn h11 hatchling html5lib httpcore httptools httpx humanize hyperlink hypothesis identify idna imagesize
importlib-metadata importlib-resources incremental iniconfig installer invoke ipython isodate isort itsdangerous jedi
jinja2 joblib jsonpatch jsonpointer jsonschema jsonschema-specifications kombu lark loguru lxml mako markdown
markdown-it-py markupsafe marshmallow matplotlib-inline mdurl mergedeep mistune mkdocs mock more-itertools msgpack
multidict mypy mypy-extensions nbformat networkx nodeenv nox oauthlib openpyxl orjson outcome packaging paramiko parso
pathspec pdm-backend peewee pexpect platformdirs pluggy ply poetry-core pre-commit prometheus-client prompt-toolkit
propcache psutil ptyprocess pure-eval pyasn1 pyasn1-modules pycodestyle pycparser pydantic pydantic-settings pyflakes
pygments pyjwt pylint pymysql pynacl pyparsing pyproject-hooks pytest pytest-asyncio pytest-cov pytest-mock
pytest-xdist python-dateutil python-dotenv python-multipart pytz pyyaml redis referencing requests requests-mock
requests-oauthlib requests-toolbelt responses rich rpds-py rsa ruamel.yaml s3transfer service-identity setuptools
setuptools-scm shellingham simplejson smmap sniffio snowballstemmer sortedcontainers soupsieve sphinx sqlalchemy
sqlparse stack-data starlette structlog tabulate tenacity tinycss2 tomli tomlkit toolz tornado tox tqdm traitlets trio
trove-classifiers twisted typer typing-extensions tzdata tzlocal ujson unidecode urllib3 uvicorn virtualenv vine
voluptuous waitress watchdog wcwidth websocket-client websockets werkzeug wheel wrapt wsproto wtforms xlsxwriter yarl
zipp zope.interface`

// liveSources are downloaded as source archives.
var liveSources = []string{
	"docopt", "six", "inflection", "webencodings", "mccabe", "text-unidecode", "python-slugify", "jmespath", "xmltodict",
	"natsort",
}

// TestPyPILive downloads the files of real projects from the index of the user's own pip, uploads them to Larder and
// installs all of them from Larder alone. Every installed file must be as if it came from the source, and what Larder's
// pages say of a wheel must be what is in the wheel.
//
//	LARDER_LIVE=1 go test ./internal/e2e -run TestPyPILive -v -timeout 30m
func TestPyPILive(t *testing.T) {
	for _, client := range []string{"pip26", "uv", "pyvenv"} {
		if _, err := exec.LookPath(client); err != nil {
			without(t, client, err)
		}
	}
	source := newLivePython(t)
	names := strings.Fields(livePythonProjects)
	source.requirements(t, append(names, liveSources...))
	took := source.run(t, "pip26", "download", "-q", "--dest", "files", "--no-binary", strings.Join(liveSources, ","),
		"-r", "requirements")
	files := source.files(t)
	t.Logf("%d files from the source in %v", len(files), took)
	var all, pinned, sources []string
	for _, f := range files {
		all = append(all, f.Project)
		pinned = append(pinned, f.Project+"=="+f.Version.String())
		if f.Kind != pydist.Wheel {
			sources = append(sources, f.Project)
		}
	}
	if len(files) < 200 || len(sources) < len(liveSources) {
		t.Fatalf("only %d files, %d of them source archives", len(files), len(sources))
	}
	source.requirements(t, pinned)

	server := startCrashServer(t, filepath.Join(t.TempDir(), "data"))
	base := "http://" + server.addr
	larder := &livePython{dir: source.dir, env: append(shutOff(source.env), "HOME="+source.dir,
		"PIP_CONFIG_FILE="+os.DevNull, "PIP_INDEX_URL="+base+"/simple/",
		"PIP_NO_CACHE_DIR=1", "UV_NO_CACHE=1", "UV_NO_CONFIG=1", "UV_DEFAULT_INDEX="+base+"/simple/",
		"UV_PUBLISH_URL="+base+"/pypi/legacy/", "UV_PUBLISH_USERNAME=admin", "UV_PUBLISH_PASSWORD="+crashPassword)}
	args := []string{"publish", "-q"}
	for _, f := range files {
		args = append(args, filepath.Join("files", f.Text))
	}
	t.Logf("uploaded in %v", larder.run(t, "uv", args...))
	wheels, start := 0, time.Now()
	for _, f := range files {
		// uv ignores file names that are not normalised. All others are uploaded for the second time here.
		if err := sendLiveFile(t.Context(), base, filepath.Join(source.dir, "files"), f); err != nil {
			t.Fatalf("%s: %v", f.Text, err)
		}
	}
	t.Logf("uploaded again in %v", time.Since(start).Round(100*time.Millisecond))
	for _, f := range files {
		if err := checkLivePage(t.Context(), base, filepath.Join(source.dir, "files"), f); err != nil {
			t.Errorf("%s: %v", f.Text, err)
		}
		if f.Kind == pydist.Wheel {
			wheels++
		}
	}
	t.Logf("%d wheels whose metadata is what stands in them", wheels)

	for client, install := range map[string][]string{
		"pip26": {"install", "-q", "--no-compile", "-r", "requirements"},
		"uv":    {"pip", "install", "-q", "-r", "requirements"},
	} {
		t.Run(client, func(t *testing.T) {
			with := append(install, "--no-deps")
			for _, name := range sources {
				with = append(with, "--no-binary", name)
			}
			// The same folder for both: the first line of a program has the path of its interpreter.
			source.requirements(t, pinned)
			source.fresh(t)
			took := source.run(t, client, with...)
			want := source.tree(t)
			// From Larder only names are installed: versions and dependencies must be found again.
			larder.requirements(t, all)
			larder.fresh(t)
			t.Logf("%d files installed from the source in %v, from Larder in %v", len(want), took,
				larder.run(t, client, install...))
			have := larder.tree(t)
			for name, sum := range want {
				if have[name] != sum {
					t.Errorf("%s is not what the source's is", name)
				}
				delete(have, name)
			}
			for name := range have {
				t.Errorf("%s is not in what the source installs", name)
			}
		})
	}
}

// livePython is a folder with a virtual environment, and the variables of its programs.
type livePython struct {
	dir string
	env []string
}

// newLivePython returns an environment that installs from the user's own index.
func newLivePython(t *testing.T) *livePython {
	t.Helper()
	p := &livePython{dir: t.TempDir()}
	p.env = append(os.Environ(), "VIRTUAL_ENV="+filepath.Join(p.dir, "env"),
		"PIP_CACHE_DIR="+filepath.Join(p.dir, "cache"), "UV_CACHE_DIR="+filepath.Join(p.dir, "uv"),
		"PIP_FIND_LINKS=", "PIP_DISABLE_PIP_VERSION_CHECK=1", "UV_SYSTEM_CERTS=1", "SOURCE_DATE_EPOCH=1700000000")
	ask := exec.CommandContext(t.Context(), "python3", "-m", "pip", "config", "get", "global.index-url")
	if index, err := ask.Output(); err == nil {
		p.env = append(p.env, "PIP_INDEX_URL="+strings.TrimSpace(string(index)))
	}
	for _, e := range p.env {
		if index, ok := strings.CutPrefix(e, "PIP_INDEX_URL="); ok {
			p.env = append(p.env, "UV_DEFAULT_INDEX="+index)
		}
	}
	p.fresh(t)
	return p
}

func (p *livePython) run(t *testing.T, name string, args ...string) time.Duration {
	t.Helper()
	start := time.Now()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, args[0], err, out[max(0, len(out)-4000):])
	}
	return time.Since(start).Round(100 * time.Millisecond)
}

// fresh makes an empty environment in place of the old one.
func (p *livePython) fresh(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(p.dir, "env")); err != nil {
		t.Fatal(err)
	}
	p.run(t, "pyvenv", "env")
}

func (p *livePython) requirements(t *testing.T, lines []string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, "requirements"), []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// files returns the names of the downloaded files.
func (p *livePython) files(t *testing.T) []pydist.Filename {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(p.dir, "files"))
	if err != nil {
		t.Fatal(err)
	}
	var list []pydist.Filename
	for _, e := range entries {
		f, err := pydist.ParseFilename(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	return list
}

// tree maps every file of the environment to its digest.
func (p *livePython) tree(t *testing.T) map[string]string {
	t.Helper()
	root, sums := filepath.Join(p.dir, "env"), map[string]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(name)
		sums[strings.TrimPrefix(name, root)] = fmt.Sprintf("%x", sha256.Sum256(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

// sendLiveFile uploads a file with a minimal form.
func sendLiveFile(ctx context.Context, base, dir string, f pydist.Filename) error {
	content, err := os.ReadFile(filepath.Join(dir, f.Text))
	if err != nil {
		return err
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	for _, field := range [][2]string{
		{":action", "file_upload"}, {"protocol_version", "1"}, {"name", f.Stem}, {"version", f.Version.String()},
		{"sha256_digest", liveSum(content)},
	} {
		if err := w.WriteField(field[0], field[1]); err != nil {
			return err
		}
	}
	part, err := w.CreateFormFile("content", f.Text)
	if err == nil {
		_, err = part.Write(content)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", base+"/pypi/legacy/", &form)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.SetBasicAuth("admin", crashPassword)
	_, err = liveAnswer(req)
	return err
}

// checkLivePage compares the entry of a project's page with the file.
func checkLivePage(ctx context.Context, base, dir string, f pydist.Filename) error {
	page := base + "/simple/" + f.Project + "/"
	body, err := liveGet(ctx, page)
	if err != nil {
		return err
	}
	var detail struct {
		Files []struct {
			Filename, URL string
			Hashes        map[string]string
			Size          int64
			Metadata      json.RawMessage `json:"core-metadata"`
		}
	}
	if err := json.Unmarshal(body, &detail); err != nil {
		return err
	}
	content, err := os.ReadFile(filepath.Join(dir, f.Text))
	if err != nil {
		return err
	}
	for _, said := range detail.Files {
		if said.Filename != f.Text {
			continue
		}
		if said.Size != int64(len(content)) || said.Hashes["sha256"] != liveSum(content) {
			return errors.New("the page says another size or digest")
		}
		if f.Kind != pydist.Wheel {
			return nil
		}
		at, err := url.Parse(page)
		if err != nil {
			return err
		}
		if at, err = at.Parse(said.URL); err != nil {
			return err
		}
		return checkLiveMetadata(ctx, at.String()+".metadata", content, said.Metadata)
	}
	return errors.New("it is not on its page")
}

// checkLiveMetadata compares the advertised hash and the served metadata of a wheel with those in the wheel.
func checkLiveMetadata(ctx context.Context, address string, wheel, advertised []byte) error {
	archive, err := zip.NewReader(bytes.NewReader(wheel), int64(len(wheel)))
	if err != nil {
		return err
	}
	found, err := fs.Glob(archive, "*.dist-info/METADATA")
	if err != nil || len(found) != 1 || path.Base(found[0]) != "METADATA" {
		return fmt.Errorf("%q %v", found, err)
	}
	want, err := fs.ReadFile(archive, found[0])
	if err != nil {
		return err
	}
	if says := `{"sha256":"` + liveSum(want) + `"}`; string(advertised) != says {
		return fmt.Errorf("advertised is %s, not %s", advertised, says)
	}
	have, err := liveGet(ctx, address)
	if err == nil && !bytes.Equal(have, want) {
		err = errors.New("what is served is not the metadata in the wheel")
	}
	return err
}

func liveSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func liveGet(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/vnd.pypi.simple.v1+json, */*;q=0.1")
	return liveAnswer(req)
}

func liveAnswer(req *http.Request) ([]byte, error) {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answers %s", req.URL, resp.Status)
	}
	return body, err
}
