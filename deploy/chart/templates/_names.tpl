{{- define "portolan.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* The labels that select the pods of one component: (dict "root" $ "component" "etcd"). */}}
{{- define "portolan.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "portolan.pki" -}}{{ .Release.Name }}-pki{{- end }}
{{- define "portolan.apiServer" -}}{{ .Release.Name }}-apiserver{{- end }}
{{- define "portolan.etcd" -}}{{ .Release.Name }}-etcd{{- end }}
