# cpack -G DEB: one package with the tools and their manual pages.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME lepton)
set(CPACK_PACKAGE_CONTACT "Lepton developers <lepton@localhost>")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_STRIP_FILES ON)
include(CPack)
