// Package pydist reads distributions of Python packages, wheels and source archives: their names, their files and their
// metadata. Errors have a sentence for the uploader. It does no input and output of its own.
package pydist

import (
	"strings"

	"larder/internal/pep440"
	"larder/internal/problem"
)

// The kinds of distribution, in the words of the upload form.
const (
	Wheel = "bdist_wheel"
	Sdist = "sdist"
)

const (
	maxName     = 200 // bytes of a project's name
	maxFilename = 255 // a file system's limit, and clients save under this name
)

// consists reports whether a text is not empty and has only ASCII letters, digits and characters of others.
func consists(text, others string) bool {
	for i := range len(text) {
		c := text[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return text != ""
}

// CheckName returns problem.ErrInvalid for a text that is not the name of a project.
func CheckName(name string) error {
	if len(name) > maxName || !consists(name, "._-") || !consists(name[:1], "") || !consists(name[len(name)-1:], "") {
		return problem.Errorf(problem.ErrInvalid,
			"%.80q is not a project name: it has letters, digits, '.', '_' and '-', and begins and ends with a letter or digit.",
			name)
	}
	return nil
}

// Normalise returns the normal spelling of a name that passes CheckName: lower case, runs of separators as one dash.
func Normalise(name string) string {
	var b strings.Builder
	b.Grow(len(name))
	separated := false
	for i := range len(name) {
		c := name[i]
		if c == '-' || c == '_' || c == '.' {
			separated = true
			continue
		}
		if separated && b.Len() > 0 {
			b.WriteByte('-')
		}
		separated = false
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}

// Fold normalises a pattern of names, in which a star stands for any characters.
func Fold(pattern string) string {
	parts := strings.Split(pattern, "*")
	for i, p := range parts {
		lead, tail := "", ""
		if i > 0 && strings.HasPrefix(p, "-") {
			lead = "-"
		}
		if i < len(parts)-1 && len(p) > 1 && strings.HasSuffix(p, "-") {
			tail = "-"
		}
		parts[i] = lead + Normalise(strings.Trim(p, "-")) + tail
	}
	return strings.Join(parts, "*")
}

// Filename is a parsed file name of a distribution.
type Filename struct {
	Text    string
	Kind    string // Wheel or Sdist
	Project string // normalised
	Version pep440.Version

	// Stem is the name as it is written, before the version.
	Stem string
	// Build, Python, ABI and Platform are the wheel's build number and tags, as they are written.
	Build, Python, ABI, Platform string
	// Zip is set for a source archive that is a ZIP.
	Zip bool
}

// Same returns a text that is equal for all spellings of one distribution's file name. Installers cannot tell two files
// with one Same from each other.
func (f Filename) Same() string {
	key := string(f.Version.Key())
	if f.Kind == Sdist {
		return f.Kind + " " + key
	}
	return strings.ToLower(strings.Join([]string{f.Kind, f.Build, f.Python, f.ABI, f.Platform}, " ")) + " " + key
}

// Strict reports whether the name is spelled as the specifications ask today (PEP 625, binary distribution format).
// Older tools spelled it in other ways.
func (f Filename) Strict() bool {
	stem := strings.ReplaceAll(f.Project, "-", "_")
	if f.Kind == Wheel {
		return f.Stem == stem
	}
	return f.Text == stem+"-"+f.Version.String()+".tar.gz"
}

// ParseFilename reads a file name. Its error is problem.ErrInvalid.
func ParseFilename(text string) (Filename, error) {
	if len(text) > maxFilename || text == "" ||
		strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7f }) ||
		strings.ContainsAny(text, `/\:*?"<>|`) {
		return Filename{}, refuse("The file name %.80q has characters that file names here do not have.", text)
	}
	f := Filename{Text: text}
	switch stem, ok := strings.CutSuffix(text, ".whl"); {
	case ok:
		return f.wheel(stem)
	case strings.HasSuffix(text, ".tar.gz"):
		return f.sdist(strings.TrimSuffix(text, ".tar.gz"))
	case strings.HasSuffix(text, ".zip"):
		f.Zip = true
		return f.sdist(strings.TrimSuffix(text, ".zip"))
	}
	return Filename{}, refuse("%.80q is neither a wheel (.whl) nor a source archive (.tar.gz, .zip).", text)
}

func refuse(format string, args ...any) error {
	return problem.Errorf(problem.ErrInvalid, format, args...)
}

// isTag reports whether a text is a tag of a wheel: words between dots.
func isTag(tag string) bool {
	return consists(tag, "_.") && tag[0] != '.' && tag[len(tag)-1] != '.' && !strings.Contains(tag, "..")
}

// wheel reads name-version(-build)?-python-abi-platform.
func (f Filename) wheel(stem string) (Filename, error) {
	parts := strings.Split(stem, "-")
	if len(parts) != 5 && len(parts) != 6 {
		return Filename{}, refuse("The wheel's name %.80q does not have five or six parts between dashes.", f.Text)
	}
	n := len(parts)
	f.Kind, f.Stem, f.Python, f.ABI, f.Platform = Wheel, parts[0], parts[n-3], parts[n-2], parts[n-1]
	if n == 6 {
		f.Build = parts[2]
		if !consists(f.Build, "_.") || f.Build[0] < '0' || f.Build[0] > '9' {
			return Filename{}, refuse("The build number %.40q in the wheel's name does not begin with a digit.", f.Build)
		}
	}
	for _, tag := range parts[n-3:] {
		if !isTag(tag) {
			return Filename{}, refuse("%.40q in the wheel's name is not a tag.", tag)
		}
	}
	// This is stricter than for a project: only letters, digits, dots and single underscores.
	if !consists(f.Stem, "_.") || strings.Contains(f.Stem, "__") {
		return Filename{}, refuse("%.80q is not how a wheel's name spells a project.", f.Stem)
	}
	return f.of(f.Stem, strings.ReplaceAll(parts[1], "_", "-"))
}

// sdist reads name-version. The version begins after the last dash that a version follows.
func (f Filename) sdist(stem string) (Filename, error) {
	f.Kind = Sdist
	for i := strings.LastIndexByte(stem, '-'); i > 0; i = strings.LastIndexByte(stem[:i], '-') {
		if _, err := pep440.Parse(stem[i+1:]); err == nil {
			f.Stem = stem[:i]
			return f.of(f.Stem, stem[i+1:])
		}
	}
	return Filename{}, refuse("The name %.80q does not have the form name-version.", f.Text)
}

// of fills in project and version.
func (f Filename) of(name, version string) (Filename, error) {
	// In some old files the version has a "-" before it, so that the name ends in a separator.
	if err := CheckName(name); err != nil {
		return Filename{}, err
	}
	v, err := pep440.Parse(version)
	if err != nil {
		return Filename{}, refuse("%.80q in the file name is not a version (PEP 440).", version)
	}
	f.Project, f.Version = Normalise(name), v
	return f, nil
}
