package pydist

// This file reads wheels and source archives.

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"larder/internal/archive"
	"larder/internal/pep440"
	"larder/internal/problem"
)

// Limits of what is read of one upload.
const (
	maxMetadata = 4 << 20
	maxSmall    = 1 << 20 // WHEEL, entry_points.txt
	maxRecord   = 64 << 20
	maxEntries  = 100_000
	maxUnpacked = 16 << 30
	maxSdist    = 2 << 30   // bytes unpacked of a source archive, which is read to its end
	verifyBelow = 256 << 20 // unpacked bytes of a wheel up to which every content is compared with its checksum
)

// Distribution is the metadata of a wheel or source archive.
type Distribution struct {
	Raw      []byte // METADATA or PKG-INFO, byte by byte
	Metadata *Metadata
	Warnings []string // for the uploader; nothing that keeps an installer from working
}

// Read reads the distribution called name in the size bytes of r. If strict is set, warnings are errors. It returns
// problem.ErrInvalid or problem.ErrTooLarge with a sentence for the uploader, or an error of r.
func Read(r io.ReaderAt, size int64, name Filename, strict bool) (*Distribution, error) {
	d := &Distribution{}
	var err error
	switch {
	case name.Kind == Wheel:
		err = d.wheel(r, size, name)
	case name.Zip:
		err = d.zippedSdist(r, size)
	default:
		err = d.sdist(io.NewSectionReader(r, 0, size))
	}
	if err != nil {
		return nil, explain(err)
	}
	d.Metadata = ParseMetadata(d.Raw)
	if err := d.check(name); err != nil {
		return nil, err
	}
	if strict && !name.Strict() {
		d.warn("The file name %s is not written as it should be (PEP 625, PEP 427).", name.Text)
	}
	if strict && len(d.Warnings) > 0 {
		return nil, refuse("%s", strings.Join(d.Warnings, " "))
	}
	return d, nil
}

func (d *Distribution) warn(format string, args ...any) {
	d.Warnings = append(d.Warnings, fmt.Sprintf(format, args...))
}

// explained is an error for the log with the sentence for the client's user.
type explained struct{ cause, public error }

func (e *explained) Error() string   { return e.cause.Error() }
func (e *explained) Unwrap() []error { return []error{e.public, e.cause} }

func explain(err error) error {
	switch {
	case errors.Is(err, archive.ErrLimit):
		return &explained{
			err,
			problem.Errorf(problem.ErrTooLarge, "The archive unpacks to more than is accepted: %s.",
				detail(err, archive.ErrLimit)),
		}
	case errors.Is(err, archive.ErrName):
		return &explained{
			err,
			refuse("The archive holds a file whose name leads outside of it or that not every system can write: %s.",
				detail(err, archive.ErrName)),
		}
	case errors.Is(err, archive.ErrFormat):
		return &explained{
			err,
			refuse("The archive is damaged, or clients could read it in different ways: %s.", detail(err, archive.ErrFormat)),
		}
	}
	return err
}

// detail is the text of an archive's error without that of its sentinel.
func detail(err, sentinel error) string {
	_, text, ok := strings.Cut(err.Error(), sentinel.Error()+": ")
	if !ok {
		return sentinel.Error()
	}
	return text
}

// wheel reads a wheel: a ZIP with exactly one folder *.dist-info, that of the file's name.
func (d *Distribution) wheel(r io.ReaderAt, size int64, name Filename) error {
	z, err := archive.OpenZip(r, size, archive.Limits{Entries: maxEntries, Bytes: maxUnpacked})
	if err != nil {
		return err
	}
	if z.Comment != "" {
		return refuse("The wheel has a comment at its end, behind which another archive could hide.")
	}
	info, streamed, err := distInfo(z)
	if err != nil {
		return err
	}
	if streamed {
		d.warn("The wheel has entries whose size stands behind them; some installers read such archives differently.")
	}
	stem := strings.TrimSuffix(info, ".dist-info")
	i := strings.LastIndexByte(stem, '-')
	if i < 0 || Normalise(stem[:i]) != name.Project ||
		!pep440.Equal(strings.ReplaceAll(stem[i+1:], "_", "-"), name.Version.String()) {
		return refuse("The wheel's folder %s is not that of %s %s.", info, name.Project, name.Version)
	}
	for _, file := range []string{"METADATA", "WHEEL", "RECORD"} {
		if e := z.Entry(info + "/" + file); e == nil || !e.Regular {
			return refuse("The wheel has no file %s/%s.", info, file)
		}
	}
	if d.Raw, err = z.Entry(info + "/METADATA").Bytes(maxMetadata); err != nil {
		return err
	}
	if _, err := z.Entry(info + "/WHEEL").Bytes(maxSmall); err != nil {
		return err
	}
	if err := d.compareRecord(z, info); err != nil {
		return err
	}
	if err := checkEntryPoints(z.Entry(info + "/entry_points.txt")); err != nil {
		return err
	}
	if z.Unpacked <= verifyBelow || streamed {
		return z.Verify()
	}
	return nil
}

// distInfo finds the one folder of metadata.
func distInfo(z *archive.Zip) (info string, streamed bool, err error) {
	for _, e := range z.Entries() {
		streamed = streamed || e.Streamed
		top, _, below := strings.Cut(e.Name, "/")
		if !below && e.Regular || !strings.HasSuffix(top, ".dist-info") || top == info {
			continue
		}
		if info != "" {
			return "", false, refuse("The wheel has two folders of metadata, %s and %s; which one counts would depend on the "+
				"installer.", info, top)
		}
		info = top
	}
	if info == "" {
		return "", false, refuse("The wheel has no folder *.dist-info.")
	}
	return info, streamed, nil
}

// compareRecord warns if RECORD and the archive list different files.
func (d *Distribution) compareRecord(z *archive.Zip, info string) error {
	e := z.Entry(info + "/RECORD")
	if e.Size > maxRecord {
		return fmt.Errorf("%w: %s has %d bytes", archive.ErrLimit, e.Name, e.Size)
	}
	content := &remembered{r: e.Open()}
	rows := csv.NewReader(bufio.NewReader(content))
	rows.FieldsPerRecord, rows.LazyQuotes, rows.ReuseRecord = -1, true, true
	listed := map[string]bool{}
	for {
		row, err := rows.Read()
		if err == io.EOF {
			break
		}
		if content.err != nil && content.err != io.EOF {
			return content.err
		}
		if err != nil {
			return refuse("The wheel's RECORD is not a table of commas: %.80s.", err)
		}
		if len(row) > 0 {
			listed[row[0]] = true
		}
	}
	for _, e := range z.Entries() {
		signature := e.Name == info+"/RECORD.jws" || e.Name == info+"/RECORD.p7s"
		if e.Regular && !listed[e.Name] && e.Name != info+"/RECORD" && !signature {
			d.warn("The wheel holds %.100s, which its RECORD does not list.", e.Name)
			break
		}
		delete(listed, e.Name)
	}
	for name := range listed {
		if name != info+"/RECORD" {
			d.warn("The wheel's RECORD lists %.100q, which it does not hold.", name)
			break
		}
	}
	return nil
}

// remembered keeps the error of its reader: a parser reports it as an error of the text.
type remembered struct {
	r   io.Reader
	err error
}

func (m *remembered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.err = err
	return n, err
}

var entryPoint = regexp.MustCompile(`^[\p{L}\p{N}_.-]+$`)

// checkEntryPoints refuses scripts whose name would be a path when an installer writes them.
func checkEntryPoints(e *archive.ZipEntry) error {
	if e == nil || !e.Regular {
		return nil
	}
	raw, err := e.Bytes(maxSmall)
	if err != nil {
		return err
	}
	scripts := false
	for line := range strings.Lines(string(raw)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			scripts = line == "[console_scripts]" || line == "[gui_scripts]"
			continue
		}
		name, _, _ := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		if scripts && (!entryPoint.MatchString(name) || strings.Trim(name, ".") == "") {
			return refuse("The wheel's entry point %.80q is not a name a script can have.", name)
		}
	}
	return nil
}

// sdist reads a gzipped tar with one folder, which holds PKG-INFO.
func (d *Distribution) sdist(r io.Reader) error {
	in := bufio.NewReader(r)
	if magic, err := in.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return refuse("The source archive is not a gzipped tar.")
	}
	top, found := "", false
	err := archive.Tar(in, archive.Limits{Entries: maxEntries, Bytes: maxSdist}, func(e *archive.Entry) (err error) {
		if e.Sparse {
			return refuse("The source archive has the sparse file %.100s, which not every tool can read.", e.Name)
		}
		if top, err = oneFolder(top, e.Name, e.Regular); err != nil || e.Name != top+"/PKG-INFO" {
			return err
		}
		if found || !e.Regular {
			return refuse("The source archive has two files PKG-INFO, or it is no file.")
		}
		found = true
		d.Raw, err = e.Bytes(maxMetadata)
		return err
	})
	return needInfo(err, found)
}

// zippedSdist is sdist for a ZIP.
func (d *Distribution) zippedSdist(r io.ReaderAt, size int64) error {
	z, err := archive.OpenZip(r, size, archive.Limits{Entries: maxEntries, Bytes: maxSdist})
	if err != nil {
		return err
	}
	top := ""
	for _, e := range z.Entries() {
		if top, err = oneFolder(top, e.Name, e.Regular); err != nil {
			return err
		}
	}
	e := z.Entry(top + "/PKG-INFO")
	if e == nil || !e.Regular {
		return needInfo(nil, false)
	}
	if d.Raw, err = e.Bytes(maxMetadata); err != nil {
		return err
	}
	return z.Verify()
}

// oneFolder returns the archive's top folder after an entry called name. It is an error if there are two.
func oneFolder(top, name string, regular bool) (string, error) {
	folder, _, below := strings.Cut(name, "/")
	switch {
	case folder == ".":
		return top, nil
	case top != "" && folder != top, !below && regular:
		return "", refuse("The source archive does not have exactly one top folder.")
	}
	return folder, nil
}

func needInfo(err error, found bool) error {
	if err == nil && !found {
		return refuse("The source archive has no file PKG-INFO in its top folder.")
	}
	return err
}

// check compares the metadata with the file's name, and warns about some other fields.
func (d *Distribution) check(name Filename) error {
	m := d.Metadata
	major, _, _ := strings.Cut(m.Get("Metadata-Version"), ".")
	switch {
	case major != "1" && major != "2":
		return refuse("The metadata's version is %.20q; versions 1 and 2 are known.", m.Get("Metadata-Version"))
	case CheckName(m.Get("Name")) != nil || Normalise(m.Get("Name")) != name.Project:
		return refuse("The file is called %s, but its metadata is that of %.80q.", name.Text, m.Get("Name"))
	case !pep440.Equal(m.Get("Version"), name.Version.String()):
		return refuse("The file is called %s, but its metadata is that of version %.80q.", name.Text, m.Get("Version"))
	}
	if m.Get("License") != "" && m.Get("License-Expression") != "" {
		d.warn("The metadata has both License and License-Expression.")
	}
	for _, requirement := range m.All("Requires-Dist") {
		if before, _, _ := strings.Cut(requirement, ";"); strings.Contains(before, "@") {
			d.warn("The metadata requires %.100s by its address, which is not on this registry.", before)
			break
		}
	}
	return nil
}
