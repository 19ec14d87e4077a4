package archive

// This file reads what Cargo.toml says for people; cargo sends it along when it publishes.

// About is the part of [package] that is for people. Readme and LicenseFile are paths in the crate.
type About struct {
	Description, Documentation, Homepage, Repository string
	License, LicenseFile, Readme                     string
	Authors, Keywords, Categories                    []string
}

// ParseAbout reads a Cargo.toml that ParseManifest takes. problem.ErrInvalid.
func ParseAbout(raw []byte) (About, error) {
	doc, err := parseTOML(raw)
	if err != nil {
		return About{}, err
	}
	pkg := doc.sub("package")
	if pkg == nil {
		pkg = doc.sub("project")
	}
	return About{
		Description: pkg.text("description"), Documentation: pkg.text("documentation"), Homepage: pkg.text("homepage"),
		Repository: pkg.text("repository"), License: pkg.text("license"), LicenseFile: pkg.text("license-file"),
		Readme: pkg.text("readme"), Authors: pkg.list("authors"), Keywords: pkg.list("keywords"),
		Categories: pkg.list("categories"),
	}, nil
}
