package simple

// What the JSON API says of a release.

import (
	"strings"

	"larder/internal/pydist"
)

// Info is what the JSON API says of a release. Members without a value are null there, not absent.
type Info struct {
	Author                 *string           `json:"author"`
	AuthorEmail            *string           `json:"author_email"`
	BugtrackURL            *string           `json:"bugtrack_url"`
	Classifiers            []string          `json:"classifiers"`
	Description            string            `json:"description"`
	DescriptionContentType *string           `json:"description_content_type"`
	DocsURL                *string           `json:"docs_url"`
	DownloadURL            *string           `json:"download_url"`
	Downloads              map[string]int    `json:"downloads"`
	Dynamic                []string          `json:"dynamic"`
	HomePage               *string           `json:"home_page"`
	Keywords               *string           `json:"keywords"`
	License                *string           `json:"license"`
	LicenseExpression      *string           `json:"license_expression"`
	LicenseFiles           []string          `json:"license_files"`
	Maintainer             *string           `json:"maintainer"`
	MaintainerEmail        *string           `json:"maintainer_email"`
	Name                   string            `json:"name"`
	PackageURL             string            `json:"package_url"`
	Platform               *string           `json:"platform"`
	ProjectURL             string            `json:"project_url"`
	ProjectURLs            map[string]string `json:"project_urls"`
	ProvidesExtra          []string          `json:"provides_extra"`
	ReleaseURL             string            `json:"release_url"`
	RequiresDist           []string          `json:"requires_dist"`
	RequiresPython         *string           `json:"requires_python"`
	Summary                string            `json:"summary"`
	Version                string            `json:"version"`
	Yanked                 bool              `json:"yanked"`
	YankedReason           *string           `json:"yanked_reason"`
}

// InfoOf takes from metadata what the JSON API shows. pages is the URL of the project's page.
func InfoOf(m *pydist.Metadata, pages string) Info {
	value := func(key string) *string {
		if v := m.Get(key); v != "" {
			return &v
		}
		return nil
	}
	i := Info{
		Name: m.Get("Name"), Summary: m.Get("Summary"), Description: m.Description(),
		PackageURL: pages, ProjectURL: pages, ReleaseURL: pages,
		Downloads: map[string]int{"last_day": -1, "last_week": -1, "last_month": -1},
		Author:    value("Author"), AuthorEmail: value("Author-email"),
		Maintainer: value("Maintainer"), MaintainerEmail: value("Maintainer-email"),
		HomePage: value("Home-page"), DownloadURL: value("Download-URL"),
		DescriptionContentType: value("Description-Content-Type"), Keywords: value("Keywords"),
		License: value("License"), LicenseExpression: value("License-Expression"), LicenseFiles: m.All("License-File"),
		Classifiers: m.All("Classifier"), Platform: value("Platform"), Dynamic: m.All("Dynamic"),
		RequiresPython: value("Requires-Python"), RequiresDist: m.All("Requires-Dist"),
		ProvidesExtra: m.All("Provides-Extra"),
	}
	for _, text := range m.All("Project-URL") {
		label, address, ok := strings.Cut(text, ",")
		if ok && i.ProjectURLs == nil {
			i.ProjectURLs = map[string]string{}
		}
		if ok {
			i.ProjectURLs[strings.TrimSpace(label)] = strings.TrimSpace(address)
		}
	}
	if i.Classifiers == nil {
		i.Classifiers = []string{}
	}
	return i
}
