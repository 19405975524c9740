{{- define "sluice.name" -}}
{{ .Values.fullnameOverride | default .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{- define "sluice.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "sluice.redisSecret" -}}
{{ .Values.redis.secret | default (printf "%s-redis" (include "sluice.name" .)) }}
{{- end }}

{{- define "sluice.claim" -}}
{{ if eq .Values.volume.type "claim" }}{{ required "volume.existingClaim" .Values.volume.existingClaim }}{{ else }}{{ include "sluice.name" . }}-nfs{{ end }}
{{- end }}

{{- /* labels of an object; of a part of it where one is given: (dict "root" $ "part" "api") */ -}}
{{- define "sluice.labels" -}}
app.kubernetes.io/part-of: sluice
{{- if .part }}
app.kubernetes.io/name: {{ include "sluice.name" .root }}-{{ .part }}
{{- end }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "sluice.selector" -}}
app.kubernetes.io/name: {{ include "sluice.name" .root }}-{{ .part }}
{{- end }}

{{- /* what is the same in every pod */ -}}
{{- define "sluice.podBasics" -}}
automountServiceAccountToken: false
enableServiceLinks: false
nodeSelector: { kubernetes.io/os: linux }
terminationGracePeriodSeconds: 60
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- end }}

{{- define "sluice.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- /* variables that say where Redis is; a password goes into the URL, so it must be known before */ -}}
{{- define "sluice.redisEnv" -}}
{{- $name := include "sluice.name" . }}
{{- if .Values.redis.bundled }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef: { name: {{ include "sluice.redisSecret" . }}, key: password }
- { name: APP_REDIS_URL, value: 'redis://:$(REDIS_PASSWORD)@{{ $name }}-redis:6379/0' }
{{- else }}
- name: APP_REDIS_URL
  valueFrom:
    secretKeyRef: { name: {{ include "sluice.redisSecret" . }}, key: url }
{{- end }}
{{- end }}
