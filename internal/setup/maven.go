package setup

// This file has the clients of Maven repositories.

import "strings"

func mavenClients() []Client {
	return []Client{
		{
			ID: "mvn", Title: "mvn", Kind: "maven", Tested: "mvn 3.8, 3.9, 3.10 and 4",
			Guide: func(s Site) []Section {
				return append([]Section{
					{
						Title:    "Deploy",
						About:    "The login stands in settings.xml below the repository's id, which is larder here.",
						Snippets: []Snippet{commands("mvn deploy -DaltDeploymentRepository=larder::" + s.at("maven")), mvnServer()},
					},
					{
						Title: "Everything through this box", About: "Own artifacts and copies of the public ones.",
						Snippets: []Snippet{mvnMirror(s)},
					},
				}, javaAuthority(s)...)
			},
			Install: func(s Site, p Package) []Snippet {
				group, artifact, _ := strings.Cut(p.Name, ":")
				out := []Snippet{
					file("pom.xml", "<dependency>", "  <groupId>"+markup(group)+"</groupId>",
						"  <artifactId>"+markup(artifact)+"</artifactId>", "  <version>"+markup(p.Version)+"</version>",
						"</dependency>"),
					file("pom.xml", "<repository>", "  <id>larder</id>", "  <url>"+markup(s.at("maven"))+"</url>",
						"</repository>"),
				}
				if p.Login {
					out = append(out, mvnServer())
				}
				return out
			},
		},
		{
			ID: "gradle", Title: "Gradle", Kind: "maven",
			Tested: "Debian's Gradle 4.4, and the checksums that newer ones ask for",
			Guide: func(s Site) []Section {
				return append([]Section{{
					Title: "Resolve", About: "Leave the credentials out where no login is needed.",
					Snippets: []Snippet{file("build.gradle", gradleRepository(s, true)...)},
				}}, javaAuthority(s)...)
			},
			Install: func(s Site, p Package) []Snippet {
				return []Snippet{
					file("build.gradle", "dependencies {", "  implementation "+single(p.Name+":"+p.Version), "}"),
					file("build.gradle", gradleRepository(s, p.Login)...),
				}
			},
		},
		{
			ID: "sbt", Title: "sbt", Kind: "maven", Tested: "sbt 1.13",
			Guide: func(s Site) []Section {
				return append([]Section{{
					Title: "Resolve and publish", About: "The realm is the server's; sbt compares it.",
					Snippets: []Snippet{file("build.sbt", "resolvers += "+sbtResolver(s), "publishTo := Some("+sbtResolver(s)+")",
						sbtCredentials(s))},
				}}, javaAuthority(s)...)
			},
			Install: func(s Site, p Package) []Snippet {
				group, artifact, _ := strings.Cut(p.Name, ":")
				lines := []string{
					"resolvers += " + sbtResolver(s),
					"libraryDependencies += " + quoted(group) + " % " + quoted(artifact) + " % " + quoted(p.Version),
				}
				if p.Login {
					lines = append(lines, sbtCredentials(s))
				}
				return []Snippet{file("build.sbt", lines...)}
			},
		},
		{
			ID: "coursier", Title: "coursier", Kind: "maven", Tested: "the newest coursier",
			Guide: func(s Site) []Section {
				return append([]Section{{
					Title:    "Fetch",
					Snippets: []Snippet{commands("export COURSIER_REPOSITORIES="+s.at("maven"), "cs fetch GROUP:ARTIFACT:VERSION")},
				}}, javaAuthority(s)...)
			},
			Install: func(s Site, p Package) []Snippet {
				once := commands("export COURSIER_REPOSITORIES=" + s.at("maven"))
				if p.Login {
					once = commands("export COURSIER_REPOSITORIES="+s.at("maven"),
						"export COURSIER_CREDENTIALS="+word(hostname(s)+" USER:TOKEN"))
				}
				return []Snippet{once, commands("cs fetch " + word(p.Name+":"+p.Version))}
			},
		},
	}
}

// javaAuthority gives Java a file of authorities; its own is not everybody's to write.
func javaAuthority(s Site) []Section {
	return ownAuthority(s, "Java then knows no other one; in its own cacerts the certificate is one of many.", commands(
		"keytool -importcert -noprompt -alias larder -file "+authority+
			" -keystore ~/larder.p12 -storetype PKCS12 -storepass changeit",
		`export JAVA_TOOL_OPTIONS="-Djavax.net.ssl.trustStore=$HOME/larder.p12 -Djavax.net.ssl.trustStorePassword=changeit"`))
}

// mvnMirror has mvn get everything here.
func mvnMirror(s Site) Snippet {
	return file("~/.m2/settings.xml", "<settings>", "  <mirrors>", "    <mirror>", "      <id>larder</id>",
		"      <mirrorOf>*</mirrorOf>", "      <url>"+markup(s.at("maven"))+"</url>", "    </mirror>", "  </mirrors>",
		"</settings>")
}

// mvnServer is where mvn has the login of a repository.
func mvnServer() Snippet {
	return file("~/.m2/settings.xml", "<settings>", "  <servers>", "    <server>", "      <id>larder</id>",
		"      <username>USER</username>", "      <password>TOKEN</password>", "    </server>", "  </servers>", "</settings>")
}

func gradleRepository(s Site, login bool) []string {
	lines := []string{"repositories {", "  maven {", "    url = " + single(s.at("maven"))}
	if s.plain() {
		// Gradle 4 and 5 have no such property, and refuse a file that names it.
		lines = append(lines,
			"    if (GradleVersion.current() >= GradleVersion.version('6.0')) allowInsecureProtocol = true")
	}
	if login {
		lines = append(lines, "    credentials { username = 'USER'; password = 'TOKEN' }")
	}
	return append(lines, "  }", "}")
}

// sbtResolver is the repository as sbt has it.
func sbtResolver(s Site) string {
	at := quoted("larder") + " at " + quoted(s.at("maven"))
	if s.plain() {
		return "(" + at + ").withAllowInsecureProtocol(true)"
	}
	return at
}

func sbtCredentials(s Site) string {
	return "credentials += Credentials(" + quoted("Larder") + ", " + quoted(hostname(s)) + ", " + quoted("USER") + ", " +
		quoted("TOKEN") + ")"
}
