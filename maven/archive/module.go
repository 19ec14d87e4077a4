package archive

// Gradle module metadata: the variants of a version and the files they have.

import (
	"encoding/json"
	"slices"
	"strings"

	"larder/maven/markup"
	"larder/maven/names"
	"larder/store"
)

// Module is what Gradle's metadata says of a version.
type Module struct {
	Variants []string     `json:"variants,omitempty"`
	Files    []ModuleFile `json:"files,omitempty"`
}

// ModuleFile is a file that a variant has, with its checksums.
type ModuleFile struct {
	Name string            `json:"name"`
	Size int64             `json:"size"`
	Sums map[string]string `json:"sums,omitempty"`
}

// What is kept of a module: so many variants and files, with names so long.
const (
	maxModuleFacts = 200
	maxFileName    = 255
)

// ReadModule reads Gradle module metadata 1.0 and 1.1.
func ReadModule(text []byte) (*Module, string) {
	var m struct {
		FormatVersion string `json:"formatVersion"`
		Variants      []struct {
			Name  string `json:"name"`
			Files []struct {
				URL    string `json:"url"`
				Size   int64  `json:"size"`
				MD5    string `json:"md5"`
				SHA1   string `json:"sha1"`
				SHA256 string `json:"sha256"`
				SHA512 string `json:"sha512"`
			} `json:"files"`
		} `json:"variants"`
	}
	if err := json.Unmarshal(text, &m); err != nil || !strings.HasPrefix(m.FormatVersion, "1.") {
		return nil, "the Gradle module metadata cannot be read"
	}
	facts, seen := &Module{}, map[string]bool{}
	for _, v := range m.Variants[:min(len(m.Variants), maxModuleFacts)] {
		facts.Variants = append(facts.Variants, markup.Clip(v.Name, 100))
		for _, f := range v.Files {
			// A path of another directory is the module's own business.
			if seen[f.URL] || strings.Contains(f.URL, "/") || len(facts.Files) == maxModuleFacts {
				continue
			}
			seen[f.URL] = true
			file := ModuleFile{Name: markup.Clip(f.URL, maxFileName), Size: f.Size, Sums: map[string]string{}}
			for alg, sum := range map[string]string{"md5": f.MD5, "sha1": f.SHA1, "sha256": f.SHA256, "sha512": f.SHA512} {
				if sum != "" {
					file.Sums[alg] = strings.ToLower(markup.Clip(sum, 128))
				}
			}
			facts.Files = append(facts.Files, file)
		}
	}
	return facts, ""
}

// Odd compares the checksums with the files of the version: a build that mixes two of them fails only where it is used.
func (m *Module) Odd(files []store.File) (odd []string) {
	if m == nil {
		return nil
	}
	for _, listed := range m.Files {
		i := slices.IndexFunc(files, func(f store.File) bool { return names.FileOf(f.Name) == listed.Name })
		if i < 0 {
			continue // of a snapshot the names differ
		}
		f := files[i]
		for alg, sum := range listed.Sums {
			if have := f.Sums[alg]; have != "" && have != sum || alg == "sha256" && f.Digest.Encoded() != sum {
				odd = append(odd, "Gradle's metadata has another "+alg+" of "+listed.Name)
			}
		}
	}
	slices.Sort(odd)
	return odd
}
